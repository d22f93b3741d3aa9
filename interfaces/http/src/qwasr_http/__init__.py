"""wasi:http for qwasr: a server in front of guests, and a client behind them.

`qwasr_http.protocol` is what a backend implements, `qwasr_http.fake` a backend for tests. Importing this package
imports neither aiohttp nor anything else.
"""
