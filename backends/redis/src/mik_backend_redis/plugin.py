"""The entry point: what this distribution brings to the kernel."""

from __future__ import annotations

from mik_backend_redis.client import Redis
from qwasr.hooks import hookimpl

KERNEL_API = 1


@hookimpl
def qwasr_register_backends() -> list[type[Redis]]:
    """Register the backend."""
    return [Redis]
