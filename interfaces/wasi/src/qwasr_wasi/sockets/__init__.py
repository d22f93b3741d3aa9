"""wasi:sockets: TCP, UDP and the look-up of names, for guests that rules allow it; nothing without a rule.

================= ================================================================================
`rules`           what `QWASR_SOCKETS_ALLOW` allows
`access`          makes the sockets, counts them for each call, closes what is left
`endpoints`       one socket of the system, its readiness and its holders
`tcp`             connections; `tcp_streams` are their two streams
`udp`             datagrams; `datagrams` are their two streams
`name_lookup`     addresses of names; `lookups` asks the system for them
`network`         the network as a handle, and error codes of failed streams
`settings`        its variables
`codes`, `wire_addresses`, `options`    errors, addresses and options as the WIT has them
================= ================================================================================
"""
