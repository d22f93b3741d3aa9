"""The settings of the backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwasr.options import ConnectOptions, env

__all__ = ["RedisOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions(ConnectOptions):
    """Where Redis is, who we are to it, and how long we wait for it."""

    url: str = env(
        "REDIS_URL",
        default="redis://localhost:6379",
        secret=True,
        address=True,
        help="where Redis is: redis://, rediss:// (TLS), redis+unix://, redis+sentinel://, redis+cluster://",
    )
    username: str | None = env("REDIS_USERNAME", default=None, help="the ACL user, where the URL names none")
    password: str | None = env("REDIS_PASSWORD", default=None, secret=True, help="the password, where the URL has none")
    sentinel_username: str | None = env("REDIS_SENTINEL_USERNAME", default=None, help="the ACL user of the sentinels")
    sentinel_password: str | None = env(
        "REDIS_SENTINEL_PASSWORD", default=None, secret=True, help="the password of the sentinels"
    )
    tls_ca: Path | None = env(
        "REDIS_TLS_CA", default=None, help="certificates of authorities to trust besides the system's, PEM"
    )
    tls_cert: Path | None = env("REDIS_TLS_CERT", default=None, help="our own certificate, PEM")
    tls_key: Path | None = env("REDIS_TLS_KEY", default=None, help="the key of our own certificate, PEM")
    pool_size: int = env(
        "REDIS_POOL_SIZE",
        default=16,
        minimum=1,
        maximum=1000,
        help="connections of a worker process, at most; on a cluster to each node",
    )
    timeout_s: float = env(
        "REDIS_TIMEOUT_S",
        default=0.75,
        minimum=0.05,
        maximum=600,
        help="how long one call takes at most, connecting and trying again included, seconds",
    )
    connect_timeout_s: float = env(
        "REDIS_CONNECT_TIMEOUT_S",
        default=5.0,
        minimum=0.05,
        maximum=600,
        help="how long the start waits for Redis, seconds",
    )
    max_retries: int = env(
        "REDIS_MAX_RETRIES",
        default=3,
        minimum=0,
        maximum=100,
        help="how often a call tries again to connect or to read, on a cluster to read; nothing is changed twice",
    )
    max_delay_ms: int = env(
        "REDIS_MAX_DELAY", default=1000, minimum=1, maximum=60_000, help="the longest pause before the next try, ms"
    )
    watch: bool = env(
        "REDIS_WATCH", default=False, help="tell guests that watch also of changes that other clients make"
    )
