"""Redis for qwasr: `QWASR_KEYVALUE=redis` keeps the entries of `wasi:keyvalue` in a Redis server.

- `options`: the settings; `address`: what `REDIS_URL` says.
- `client`: the backend; `connections` and `cluster` carry its commands, `errors` says what went wrong.
- `keyvalue`: the buckets; `watch`: changes that others make.
"""

from __future__ import annotations

from mik_backend_redis.client import Redis
from mik_backend_redis.options import RedisOptions

__all__ = ["Redis", "RedisOptions"]
