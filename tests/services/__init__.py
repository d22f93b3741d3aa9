"""Real services for tests: pytest fixtures that every backend shares.

A variable such as `REDIS_URL` names a service that is there already. Otherwise a private server is started, from the
PATH or from `build/services/bin`, on a free port and in a folder of its own, and ended with the tests. Nothing is put
into that folder by itself: it is for programs that cannot be installed, linked or copied there by hand. Where there is
neither, a test is skipped and says why; with `CI` set it fails.

- `programs`: finds the programs; `private`: a server that a test may kill, pause and start again.
- `redis`: Redis; `proxy`: a TCP proxy that delays, stalls and cuts.
- `plugin`: the fixtures, `pytest_plugins = ["tests.services.plugin"]`.
"""
