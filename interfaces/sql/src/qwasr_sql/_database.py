"""One SQLite database as `qwasr_sql.protocol.Database`: one connection that writes, several that read."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qwasr_sql._session import Session
from qwasr_sql._statements import NotReadonly, execute, in_transaction, query
from qwasr_sql._threads import Worker
from qwasr_sql.errors import SqlError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from qwasr.values import Variant
    from qwasr_sql.protocol import Rows
    from qwasr_sql.sqlite import SqliteOptions

__all__ = ["SqliteDatabase"]

T = TypeVar("T")


class SqliteDatabase:
    """A database file, or one in memory.

    Args:
        path: the file; `None` is a database in memory.
        options: how it is opened.

    Raises:
        SqlError: it cannot be opened.
    """

    def __init__(self, path: str | None, options: SqliteOptions) -> None:
        self._path = path
        self._lock = asyncio.Lock()  # a transaction has the writer for itself
        writer = Session(path, options, writes=True)
        readers: list[Session] = []
        try:
            if path is not None:
                self._identity = _identity(path)
                for _ in range(options.readers):
                    readers.append(Session(path, options, writes=False))  # noqa: PERF401 - those that are open are closed
        except BaseException:
            for session in (writer, *readers):
                session.close()
            raise
        self._writer = Worker([writer], "qwasr-sql-write")
        # In memory there is one connection: what several share there, they lock against each other.
        self._reader = Worker(readers, "qwasr-sql-read") if readers else None

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        """Run a statement that answers with rows; see `qwasr_sql.protocol`."""
        if self._reader is not None:
            try:
                return await self._reader.run(partial(query, sql=sql, params=params, readonly=True))
            except NotReadonly:
                pass  # it answers with rows and writes: for the writer
        return await self._write(partial(query, sql=sql, params=params))

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        """Run a statement; see `qwasr_sql.protocol`."""
        return await self._write(partial(execute, sql=sql, params=params))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Transaction]:
        """Return a transaction; see `qwasr_sql.protocol`."""
        async with self._lock:
            running = _Transaction(self._writer)
            try:
                await self._writer.run(lambda session: session.control("BEGIN IMMEDIATE"))
                yield running
                await running.commit()
            except BaseException:
                # Not waited for, since whoever waits may be cancelled again: whatever writes next comes after it.
                self._writer.post(_roll_back)
                raise
            finally:
                running.over = True

    async def check(self) -> None:
        """Raise `SqlError` when the database cannot be read, or is not the one that was opened."""
        if self._path is not None:
            found = await asyncio.to_thread(_identity, self._path)
            if found != self._identity:
                raise Unavailable("its file was replaced by another one; what is written now is lost")
        await (self._reader or self._writer).run(partial(query, sql="SELECT count(*) FROM sqlite_schema", params=()))

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
        for worker in (self._reader, self._writer):  # the writer last: it takes the log into the file
            if worker is not None:
                await asyncio.to_thread(worker.close)

    async def _write(self, work: Callable[[Session], T]) -> T:
        async with self._lock:
            return await self._writer.run(work)


class _Transaction:
    """The statements of one transaction, on the connection that writes.

    Attributes:
        over: whether it has ended; what it is asked then is an error.
    """

    def __init__(self, writer: Worker) -> None:
        self._writer = writer
        self.over = False

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        """Run a statement that answers with rows; see `qwasr_sql.protocol`."""
        return await self._inside(partial(query, sql=sql, params=params))

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        """Run a statement; see `qwasr_sql.protocol`."""
        return await self._inside(partial(execute, sql=sql, params=params))

    async def commit(self) -> None:
        """Commit it."""
        await self._inside(lambda session: session.control("COMMIT"))

    async def _inside(self, work: Callable[[Session], T]) -> T:
        if self.over:
            raise SqlError("the transaction is over")
        return await self._writer.run(lambda session: work(in_transaction(session)))


def _roll_back(session: Session) -> None:
    if session.connection.in_transaction:  # SQLite rolls back by itself for some errors
        session.control("ROLLBACK")


def _identity(path: str) -> tuple[int, int]:
    """Return what tells a file from another one of the same name.

    Raises:
        Unavailable: it is not there.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise Unavailable(f"its file cannot be read: {error.strerror}") from None
    return found.st_dev, found.st_ino
