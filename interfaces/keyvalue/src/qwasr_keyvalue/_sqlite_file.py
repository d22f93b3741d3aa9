"""What is in the SQLite file of a keyvalue store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.sqlite import FileErrors, Form
from qwasr_keyvalue.errors import AccessDenied, KeyValueError, OutOfSpace, TooLarge, Unavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["form"]

_SWEEP_ENTRIES: Final = 256  # expired entries that are removed at once

# `number` is fixed while the key exists and never given again: a listing finds its place by it. It is followed by
# `revision`, so the pair of them says whether a key is still as it was. Names are UTF-8 in blobs: any text, any length,
# compared byte by byte. No bucket has a row of its own, so none is left behind by its last key.
_SCHEMA: Final = (
    """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket BLOB NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at REAL,
    revision INTEGER NOT NULL DEFAULT 1,
    UNIQUE (bucket, key)
)""",
    "CREATE INDEX entries_by_bucket ON entries (bucket)",
    "CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL",
)


def form(clock: Callable[[], float]) -> Form:
    """Return what the file is.

    Args:
        clock: Unix time in seconds.
    """

    def sweep(file: sqlite3.Connection) -> None:
        file.execute(
            "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE expires_at <= ? LIMIT ?)",
            (clock(), _SWEEP_ENTRIES),
        )

    return Form(
        what="store",
        application=0x716B7631,  # "qkv1"
        version=1,
        schema=_SCHEMA,
        errors=FileErrors(unavailable=Unavailable, denied=AccessDenied, full=OutOfSpace, too_large=TooLarge),
        expected=KeyValueError,
        tidy=sweep,
    )
