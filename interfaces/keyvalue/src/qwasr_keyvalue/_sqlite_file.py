"""The SQLite file: how it is opened, what is in it, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final

from qwasr.errors import BackendError
from qwasr_keyvalue.errors import AccessDenied, KeyValueError, OutOfSpace, TooLarge, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from qwasr_keyvalue.sqlite import SqliteOptions

__all__ = ["explain", "open_file"]

_APPLICATION: Final = 0x716B7631  # "qkv1" in the header: the file is one of these
_VERSION: Final = 1
_PAGE_BYTES: Final = 4096
_WAL_BYTES: Final = 64 * 1024 * 1024  # what a large write leaves of its log

# `number` is fixed while the key exists and never given again: a listing finds its place by it. It is followed by
# `revision`, so the pair of them says whether a key is still as it was. Names are UTF-8 in blobs: any text, any length,
# compared byte by byte. No bucket has a row of its own, so none is left behind by its last key.
_SCHEMA: Final = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket BLOB NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at REAL,
    revision INTEGER NOT NULL DEFAULT 1,
    UNIQUE (bucket, key)
);
CREATE INDEX entries_by_bucket ON entries (bucket);
CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;
"""
_MEANINGS: Final[dict[int, tuple[type[KeyValueError], str]]] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "another process writes to the file for too long: the store is unavailable"),
    sqlite3.SQLITE_LOCKED: (Unavailable, "the file is locked: the store is unavailable"),
    sqlite3.SQLITE_FULL: (OutOfSpace, "the store is full"),
    sqlite3.SQLITE_TOOBIG: (TooLarge, "the value is larger than the store can hold"),
    sqlite3.SQLITE_READONLY: (AccessDenied, "the file cannot be written"),
    sqlite3.SQLITE_PERM: (AccessDenied, "the file cannot be used"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the file cannot be read or written: the store is unavailable"),
    sqlite3.SQLITE_CANTOPEN: (Unavailable, "the file cannot be opened: the store is unavailable"),
    sqlite3.SQLITE_CORRUPT: (Unavailable, "the file is damaged: the store is unavailable"),
    sqlite3.SQLITE_NOTADB: (Unavailable, "the file is no database: the store is unavailable"),
}


def explain(error: sqlite3.Error) -> Exception:
    """Return what to raise for an error of SQLite; what nobody expects is returned as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _MEANINGS:
        return error
    kind, message = _MEANINGS[code & 0xFF]
    return kind(message)


def open_file(path: Path, options: SqliteOptions, *, writes: bool) -> sqlite3.Connection:
    """Open the file; the connection that writes makes it when it is not there.

    Raises:
        BackendError: it cannot be opened, or is something else.
    """
    try:
        if writes:
            # For its owner alone: who knows what guests keep there. The log beside it gets the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path, timeout=options.lock_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=32
        )
    except OSError as error:
        raise BackendError(f"the file {str(path)!r} cannot be opened: {error.strerror}{_hint(path)}") from None
    except sqlite3.Error as error:
        raise BackendError(f"the file {str(path)!r} cannot be opened: {explain(error)}") from None
    try:
        _prepare(connection, options, writes=writes)
    except sqlite3.Error as error:
        connection.close()
        raise BackendError(f"the file {str(path)!r} cannot be used: {explain(error)}") from None
    except BackendError as error:
        connection.close()
        raise BackendError(f"the file {str(path)!r} {error}") from None
    return connection


def _hint(path: Path) -> str:
    if path.is_absolute() or path.parent.exists():
        return ""
    return "; with three slashes its path is relative to the working folder, with four it is absolute"


def _prepare(connection: sqlite3.Connection, options: SqliteOptions, *, writes: bool) -> None:
    # Read before anything is written: a file of someone else stays as it is.
    _known(connection)
    connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for one another
    connection.execute(f"PRAGMA synchronous = {options.synchronous}")
    connection.execute(f"PRAGMA max_page_count = {options.max_bytes // _PAGE_BYTES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if not writes:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _known(connection):  # under the lock: another process may have made it just now
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _known(connection: sqlite3.Connection) -> bool:
    """Return whether the file is a keyvalue store already; `False` for an empty one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == _APPLICATION and version == _VERSION:
        return True
    if application == _APPLICATION:
        raise BackendError(f"has version {version} of its form, and this is made for {_VERSION}")
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise BackendError("is a database of something else; name one of its own")
    return False
