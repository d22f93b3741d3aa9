"""One file: what is in it, how it is opened, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from qwasr.errors import BackendError
from qwasr.files import path_of_url

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileErrors", "Form", "Place", "explain", "open_file", "path_of"]

_PAGE_BYTES: Final = 4096
_WAL_BYTES: Final = 64 * 1024 * 1024  # what a large write leaves of its log
_LOG: Final = "PRAGMA journal_mode = WAL"  # readers and the writer do not wait for one another
# SQLite's code -> which of an interface's exceptions it is, and what is said of it.
_MEANINGS: Final[dict[int, tuple[Literal["unavailable", "denied", "full", "too_large"], str]]] = {
    sqlite3.SQLITE_BUSY: ("unavailable", "another process writes to the file for too long: the {} is unavailable"),
    sqlite3.SQLITE_LOCKED: ("unavailable", "the file is locked: the {} is unavailable"),
    sqlite3.SQLITE_FULL: ("full", "the {} is full"),
    sqlite3.SQLITE_TOOBIG: ("too_large", "the value is larger than the {} can hold"),
    sqlite3.SQLITE_READONLY: ("denied", "the file cannot be written"),
    sqlite3.SQLITE_PERM: ("denied", "the file cannot be used"),
    sqlite3.SQLITE_IOERR: ("unavailable", "the file cannot be read or written: the {} is unavailable"),
    sqlite3.SQLITE_CANTOPEN: ("unavailable", "the file cannot be opened: the {} is unavailable"),
    sqlite3.SQLITE_CORRUPT: ("unavailable", "the file is damaged: the {} is unavailable"),
    sqlite3.SQLITE_NOTADB: ("unavailable", "the file is no database: the {} is unavailable"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileErrors:
    """The exceptions of an interface for what can be wrong with a file; each takes the message.

    Args:
        unavailable: it cannot be used now: locked, damaged, on a disk that fails.
        denied: it may not be used so.
        full: it is as large as it may be, or the disk is full.
        too_large: a value is larger than SQLite can hold.
    """

    unavailable: type[Exception]
    denied: type[Exception]
    full: type[Exception]
    too_large: type[Exception]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What every file of one kind has in common.

    Args:
        what: what it is, for messages: ``"store"``.
        application: `application_id` of the file: four bytes that nobody else uses.
        version: of the schema; a file of another one is refused.
        schema: the statements that make an empty file one of these.
        errors: what is raised.
        expected: what a job raises on purpose, before it has written anything.
        tidy: removes some of what nobody needs any more: it is called with the connection at the end of a transaction
            that writes, now and then, and again with the next one as long as there is more; and when the file is full.
    """

    what: str
    application: int
    version: int
    schema: tuple[str, ...]
    errors: FileErrors
    expected: type[Exception]
    tidy: Callable[[sqlite3.Connection], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One file, and how it is used.

    Args:
        path: the file; made when it is not there.
        synchronous: ``normal``: what is committed survives the end of the process; ``full``: of the machine too.
        lock_timeout_s: how long a write waits for another process that writes, in seconds.
        max_bytes: size of the file, bytes; writing above it is an error.
    """

    path: Path
    synchronous: Literal["normal", "full"] = "normal"
    lock_timeout_s: float = 1.0
    max_bytes: int = 16 * 1024**3


def path_of(url: str, variable: str) -> Path:
    """Return the file that a URL names: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Args:
        url: the URL.
        variable: where it was written, for the message.

    Raises:
        OptionError: it names none.
    """
    return path_of_url(url, "sqlite", variable, ending=".db")


def explain(error: sqlite3.Error, form: Form) -> Exception:
    """Return what to raise for an error of SQLite; what nobody expects is returned as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _MEANINGS:
        return error
    kind, message = _MEANINGS[code & 0xFF]
    cls: type[Exception] = getattr(form.errors, kind)
    return cls(message.format(form.what))


def open_file(form: Form, place: Place, *, writes: bool) -> sqlite3.Connection:
    """Open the file; the connection that writes makes it when it is not there.

    Raises:
        BackendError: it cannot be opened, or is something else.
    """
    path = place.path
    try:
        if writes:
            # For its owner alone: who knows what guests keep there. The log beside it gets the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path, timeout=place.lock_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
    except OSError as error:
        raise BackendError(f"the file {str(path)!r} cannot be opened: {error.strerror}{_hint(path)}") from None
    except sqlite3.Error as error:
        raise BackendError(f"the file {str(path)!r} cannot be opened: {explain(error, form)}") from None
    try:
        _prepare(connection, form, place, writes=writes)
    except sqlite3.Error as error:
        connection.close()
        raise BackendError(f"the file {str(path)!r} cannot be used: {explain(error, form)}") from None
    except BackendError as error:
        connection.close()
        raise BackendError(f"the file {str(path)!r} {error}") from None
    return connection


def _hint(path: Path) -> str:
    if path.is_absolute() or path.parent.exists():
        return ""
    return "; with three slashes its path is relative to the working folder, with four it is absolute"


def _prepare(connection: sqlite3.Connection, form: Form, place: Place, *, writes: bool) -> None:
    # Read before anything is written: a file of someone else stays as it is. In one transaction, since another process
    # may be making it right now.
    connection.execute("BEGIN")
    try:
        _known(connection, form)
    finally:
        connection.execute("COMMIT")
    (mode,) = connection.execute(_LOG).fetchone()
    if mode != "wal":
        raise BackendError("cannot have a write-ahead log there; it has to be on a local disk")
    connection.execute(f"PRAGMA synchronous = {place.synchronous}")
    connection.execute(f"PRAGMA max_page_count = {place.max_bytes // _PAGE_BYTES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if not writes:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _known(connection, form):  # under the lock: another process may have made it just now
            for statement in form.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {form.application}")
            connection.execute(f"PRAGMA user_version = {form.version}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _known(connection: sqlite3.Connection, form: Form) -> bool:
    """Return whether the file is of this form already; `False` for an empty one. Inside of a transaction."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == form.application and version == form.version:
        return True
    if application == form.application:
        raise BackendError(f"has version {version} of its form, and this is made for {form.version}")
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise BackendError("is a database of something else; name one of its own")
    return False
