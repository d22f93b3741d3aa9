"""One connection to a SQLite database: how it is opened, what it may cost, and how its work is stopped."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import apsw

from qwasr_sql._affinity import Columns
from qwasr_sql._functions import guard_functions
from qwasr_sql._place import Moved, Place
from qwasr_sql._refusals import Refusals
from qwasr_sql.errors import AccessDenied, DoesNotFit, SqlError, TooLarge, Unavailable
from qwasr_sql.limits import MAX_SQL_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwasr.values import Variant
    from qwasr_sql._assignments import Assignments
    from qwasr_sql._statements import Statement
    from qwasr_sql.sqlite import SqliteOptions

__all__ = ["Bounds", "Session"]

_WAL_BYTES: Final = 64 * 1024**2  # what a large transaction leaves of its log
_VALUE_BYTES: Final = 4 * 1024**2  # the largest value, also one that is only worked out, unless a result may be larger
# LIKE takes the time of the pattern's length by the text's, and cannot be stopped: about a second, then. It is not
# among the guarded functions, for an index would serve it no more.
_PATTERN_BYTES: Final = 200
_ARGUMENTS: Final = 127  # of a function: each of json_insert moves all of its text
_STEPS: Final = 20_000  # of SQLite's machine between two looks whether to stop: about a millisecond
_WAIT_S: Final = 0.025  # at most between two looks whether another process still writes
_KINDS: Final[dict[int, type[SqlError]]] = {
    apsw.SQLITE_BUSY: Unavailable,
    apsw.SQLITE_LOCKED: Unavailable,
    apsw.SQLITE_IOERR: Unavailable,
    apsw.SQLITE_CANTOPEN: Unavailable,
    apsw.SQLITE_CORRUPT: Unavailable,
    apsw.SQLITE_NOTADB: Unavailable,
    apsw.SQLITE_TOOBIG: TooLarge,
    apsw.SQLITE_NOMEM: TooLarge,
    apsw.SQLITE_READONLY: AccessDenied,
    apsw.SQLITE_PERM: AccessDenied,
}


class Bounds(NamedTuple):
    """What a result may weigh.

    Attributes:
        rows: how many rows it may have.
        bytes: how large all its values together may be.
    """

    rows: int
    bytes: int


class Session:
    """A connection for one thread; only `cancel` is called by others.

    Args:
        path: the database file; `None` is a database in memory.
        options: how it is opened.
        writes: whether it may write.
        create: whether one that writes makes the file when it is not there.

    Raises:
        SqlError: it cannot be opened.
    """

    def __init__(self, path: str | None, options: SqliteOptions, *, writes: bool, create: bool = True) -> None:
        self.bounds = Bounds(options.max_rows, options.max_result_bytes)
        self.known: dict[str, Statement] = {}  # what statements are, by their text
        self._cancelled = False
        self._busy_s = options.busy_timeout_s
        self._busy_until_s = 0.0
        self._refusals = Refusals()
        self._writes = writes
        self.place: Place | None = None  # where its file was when it was opened
        create = create and writes
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        try:
            if path is not None and create:
                _make(path)
            self.connection = apsw.Connection(path or ":memory:", flags=flags)
        except OSError as error:
            raise Unavailable(f"the database cannot be opened: {error.strerror}") from None
        except apsw.Error as error:
            raise Unavailable(f"the database cannot be opened: {error}") from None
        self._columns = Columns(self.connection)
        self.connection.limit(apsw.SQLITE_LIMIT_LENGTH, max(_VALUE_BYTES, options.max_result_bytes))
        self.plain = guard_functions(self.connection, lambda: self._cancelled)
        try:
            with self.explained():
                self._set_up(path, options, writes=writes)
        except BaseException:
            self.close()
            raise

    def _set_up(self, path: str | None, options: SqliteOptions, *, writes: bool) -> None:
        connection = self.connection
        connection.set_busy_handler(self._is_busy)
        connection.set_progress_handler(lambda: self._cancelled, _STEPS)
        if path is not None:
            if connection.readonly("main"):
                raise AccessDenied("the file is not ours to write")
            if connection.pragma("journal_mode", "wal") != "wal":  # readers and the writer do not wait for one another
                raise Unavailable("the file's disk cannot keep a write-ahead log; it has to be a local one")
            connection.pragma("synchronous", options.synchronous)
            connection.pragma("journal_size_limit", _WAL_BYTES)
            connection.pragma("schema_version")  # the log is made by the first who reads
            self.place = Place(path)
        connection.pragma("temp_store", 2)  # in memory, which is bounded; files for sorting would not be
        connection.pragma("foreign_keys", True)
        connection.pragma("trusted_schema", False)  # functions in a schema that a guest wrote are no one's to trust
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        for quoted in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
            connection.config(quoted, 0)  # or a misspelt "column" would silently be a text
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)
        connection.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _PATTERN_BYTES)
        connection.limit(apsw.SQLITE_LIMIT_FUNCTION_ARG, _ARGUMENTS)
        page_bytes = int(connection.pragma("page_size"))
        most_bytes = options.memory_bytes if path is None else options.max_bytes
        connection.pragma("max_page_count", max(1, most_bytes // page_bytes))
        if not writes:
            connection.pragma("query_only", True)
        connection.authorizer = self._refusals

    def begin(self) -> None:
        """Get ready for the next job."""
        self._cancelled = False

    def cancel(self) -> None:
        """End what the job does, wherever it is; to be called from any thread while it runs."""
        self._cancelled = True  # for what it begins from here on, and while it waits for another process
        self.connection.interrupt()  # for what runs: at once, though each of its steps may take long

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        if self.place is not None and self._writes:
            try:
                self.place.check()
            except Moved:
                # SQLite leaves what was acknowledged in the log then, which lies where no file is, or another one.
                with contextlib.suppress(apsw.Error):
                    self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.connection.close()
        self.plain.close()

    def control(self, sql: str) -> None:
        """Run a statement of the host's own, such as BEGIN.

        Raises:
            SqlError: it failed.
        """
        with self.explained(), self._refusals.lifted():
            self.connection.execute(sql, can_cache=False)

    def check(self, writes: Assignments, params: Sequence[Variant]) -> None:
        """Raise `DoesNotFit` when a parameter would become another value in the column that it is written to."""
        with self._refusals.lifted():
            self._columns.check(writes, params)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what SQLite raises with its own code and message.

        Raises:
            SqlError: SQLite raised something.
        """
        try:
            yield
        except apsw.Error as error:
            raise self._explanation(error) from None
        except UnicodeDecodeError:
            raise DoesNotFit("a text in the result is not UTF-8; ask for it as a BLOB") from None
        except MemoryError:
            raise TooLarge("there is no memory for what the statement makes") from None

    def _explanation(self, error: apsw.Error) -> SqlError:
        if isinstance(error, apsw.BindingsError):
            return DoesNotFit(str(error))
        result: int = getattr(error, "result", -1)
        extended: int = getattr(error, "extendedresult", result)
        code = str(apsw.mapping_extended_result_codes.get(extended) or apsw.mapping_result_codes.get(result) or "")
        message = str(error)
        if result == apsw.SQLITE_AUTH or message.startswith("not authorized to use function"):
            return AccessDenied(self._refusals.why, "SQLITE_AUTH")
        if result == apsw.SQLITE_NOMEM:
            message = f"{message}: more than statements may take (QWASR_SQL_WORK_BYTES)"
        if result == apsw.SQLITE_BUSY:
            message = f"{message}: another process writes, so the database is unavailable"
        return _KINDS.get(result, SqlError)(message, code)

    def _is_busy(self, tries: int) -> bool:
        """Wait a moment for another process, unless that was long enough or nobody waits for us."""
        now_s = time.monotonic()
        if tries == 0:
            self._busy_until_s = now_s + self._busy_s
        if self._cancelled or now_s >= self._busy_until_s:
            return False
        time.sleep(min(_WAIT_S, 0.001 * (tries + 1)))
        return True


def _make(path: str) -> None:
    """Make an empty file for its owner alone, unless there is one.

    A file that is there is not opened: whoever closes it takes away the locks that SQLite has on it in this process.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
