"""What could be installed: who provides a WIT package or a backend, for hints in errors. Nothing here is imported."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BACKEND_DISTRIBUTIONS", "WIT_DISTRIBUTIONS", "did_you_mean", "wit_base"]

# WIT package -> the distribution whose plug-in serves it.
WIT_DISTRIBUTIONS: Final = {
    "mik:email": "qwasr-email",
    "wasi:blobstore": "qwasr-blobstore",
    "wasi:cli": "qwasr-wasi",
    "wasi:clocks": "qwasr-wasi",
    "wasi:config": "qwasr-config",
    "wasi:filesystem": "qwasr-wasi",
    "wasi:http": "qwasr-http",
    "wasi:identity": "qwasr-identity",
    "wasi:io": "qwasr-wasi",
    "wasi:keyvalue": "qwasr-keyvalue",
    "wasi:messaging": "qwasr-messaging",
    "wasi:otel": "qwasr-otel",
    "wasi:random": "qwasr-wasi",
    "wasi:sockets": "qwasr-wasi",
    "wasi:sql": "qwasr-sql",
    "wasi:vault": "qwasr-vault",
    "wasi:websocket": "qwasr-websocket",
    "wasi:websockets": "qwasr-websocket",
}

# Backend name or URL scheme -> the distribution that has it.
BACKEND_DISTRIBUTIONS: Final = {
    name: f"mik-backend-{distribution}"
    for distribution, names in {
        "azure": ("azblob", "azure-blob", "azure-id", "azure-table", "azure-vault"),
        "aws": ("aws-secrets", "s3"),
        "gcp": ("gcp-secrets", "gcs"),
        "hashicorp-vault": ("hashicorp-vault",),
        "kafka": ("kafka",),
        "mongodb": ("mongodb",),
        "nats": ("nats",),
        "opentelemetry": ("opentelemetry", "otlp"),
        "postgres": ("postgres", "postgresql"),
        "rabbitmq": ("amqp", "amqps", "rabbitmq"),
        "redis": (
            "redis",
            "rediss",
            "redis+unix",
            "redis+sentinel",
            "rediss+sentinel",
            "redis+cluster",
            "rediss+cluster",
        ),
        "smtp": ("smtp", "smtps"),
    }.items()
    for name in names
}


def wit_base(name: str) -> str:
    """Return a WIT interface's name without its version: ``wasi:io/poll@0.2.9`` is ``wasi:io/poll``."""
    return name.partition("@")[0]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return a sentence that offers the nearest candidate, or an empty text when none is near."""
    near = get_close_matches(word, sorted(candidates), n=1, cutoff=0.7)
    return f" Did you mean {near[0]!r}?" if near else ""
