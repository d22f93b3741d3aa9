"""What could be installed: who provides a WIT package or a backend, for hints in errors. Nothing here is imported.

Only packages of this repository are named: a name that nobody has is anyone's to register, and hints say to install it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BACKEND_DISTRIBUTIONS", "WIT_DISTRIBUTIONS", "did_you_mean", "wit_base"]

# WIT package -> the distribution whose plug-in serves it.
WIT_DISTRIBUTIONS: Final = {
    "wasi:blobstore": "qwasr-blobstore",
    "wasi:cli": "qwasr-wasi",
    "wasi:clocks": "qwasr-wasi",
    "wasi:filesystem": "qwasr-wasi",
    "wasi:http": "qwasr-http",
    "wasi:io": "qwasr-wasi",
    "wasi:keyvalue": "qwasr-keyvalue",
    "wasi:messaging": "qwasr-messaging",
    "wasi:random": "qwasr-wasi",
    "wasi:sockets": "qwasr-wasi",
    "wasi:sql": "qwasr-sql",
    "wasi:vault": "qwasr-vault",
}

# Backend name or URL scheme -> the distribution that has it.
BACKEND_DISTRIBUTIONS: Final = dict.fromkeys(
    ("redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    "mik-backend-redis",
)


def wit_base(name: str) -> str:
    """Return a WIT interface's name without its version: ``wasi:io/poll@0.2.9`` is ``wasi:io/poll``."""
    return name.partition("@")[0]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return a sentence that offers the nearest candidate, or an empty text when none is near."""
    near = get_close_matches(word, sorted(candidates), n=1, cutoff=0.7)
    return f" Did you mean {near[0]!r}?" if near else ""
