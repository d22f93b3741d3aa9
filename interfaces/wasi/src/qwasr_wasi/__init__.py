"""wasi:io, clocks, random, cli, filesystem and sockets for qwasr: a sandbox in which nothing is inherited.

============== ======================================================================================
`poll`         what a guest can wait for: `Waitable`, `Waiters`, `Pollable`
`streams`      `InputStream` over a `ByteSource`, `OutputStream` over a `ByteSink`, `IoError`
`ends`         those protocols, and what the host's end of a stream may raise
`bytestreams`  ready-made sources and sinks
`clocks`, `randomness`, `cli`, `filesystem`, `sockets`    the other interfaces
`protocol`     what a backend implements; `system` is the machine itself, `fake` a fixed one for tests
`addresses`, `resolving`    which addresses are whose, and the system's resolver for guests
`files`        mounted folders, and paths that stay inside of them
`stdio`        a guest's output as lines of the log
`hosts`        the list of all interfaces; `plugin` registers them
============== ======================================================================================
"""
