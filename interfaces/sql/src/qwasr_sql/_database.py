"""One SQLite database as `qwasr_sql.protocol.Database`: one connection that writes, several that read."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwasr_sql._heap import Share
from qwasr_sql._place import Moved, Place
from qwasr_sql._session import Session
from qwasr_sql._statements import NotReadonly, execute, in_transaction, query
from qwasr_sql._threads import CLOSE_S, Worker
from qwasr_sql.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from qwasr.values import Variant
    from qwasr_sql.protocol import Rows
    from qwasr_sql.sqlite import SqliteOptions

__all__ = ["SqliteDatabase"]

T = TypeVar("T")
_RETIRE_S: Final = 1.0  # what still runs on a file that is not at its path any more has so long to end


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
        self._options = options
        self._lock = asyncio.Lock()  # a transaction has the writer for itself
        self._opening = threading.Lock()
        self._lost = False  # whether the file that is open lies elsewhere now
        self._closed = False
        self._share = Share(options, in_memory=path is None)
        try:
            self._open(create=True)
        except BaseException:
            self._share.give_back()
            raise

    def _open(self, *, create: bool) -> None:
        path = self._path
        sessions: list[Session] = []
        try:
            sessions.append(Session(path, self._options, writes=True, create=create))
            if path is not None:
                for _ in range(self._options.readers):
                    sessions.append(Session(path, self._options, writes=False))  # noqa: PERF401 - those that are open are closed
        except BaseException:
            for session in sessions:
                session.close()
            raise
        writer, *readers = sessions
        self._place = writer.place
        self._writer = Worker([writer], "qwasr-sql-write")
        # In memory there is one connection: what several share there, they lock against each other.
        self._reader = Worker(readers, "qwasr-sql-read") if readers else None

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        """Run a statement that answers with rows; see `qwasr_sql.protocol`."""
        if self._path is not None:
            try:
                return await self._read(partial(query, sql=sql, params=params, readonly=True))
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
            await self._found()
            writer = self._writer
            running = _Transaction(self._here, writer)
            try:
                await writer.run(partial(self._here, lambda session: session.control("BEGIN IMMEDIATE")))
                yield running
                await running.commit()
            except BaseException:
                # Not waited for, since whoever waits may be cancelled again: whatever writes next comes after it.
                writer.post(_roll_back)
                raise
            finally:
                running.over = True

    async def check(self) -> None:
        """Raise `SqlError` when the database cannot be read."""
        await self._read(partial(query, sql="SELECT count(*) FROM sqlite_schema", params=()))

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
        self._closed = True
        await asyncio.to_thread(self._close)
        self._share.give_back()

    async def _read(self, work: Callable[[Session], T]) -> T:
        if self._lost:
            async with self._lock:
                await self._found()
        return await (self._reader or self._writer).run(partial(self._here, work))

    async def _write(self, work: Callable[[Session], T]) -> T:
        async with self._lock:
            await self._found()
            return await self._writer.run(partial(self._here, work))

    def _here(self, work: Callable[[Session], T], session: Session) -> T:
        """Do work on a session if its file is where it was, before and after.

        Raises:
            Moved: it is not: nothing was done, or nobody who looks at the path sees it.
        """
        if session.place is None:
            return work(session)
        try:
            session.place.check()
            result = work(session)
            session.place.check()
        except Moved:
            self._lost = True
            raise
        return result

    async def _found(self) -> None:
        """Open the file that lies at the path now, if the one that was open does not; with the writer to itself."""
        if self._lost:
            await asyncio.to_thread(self._open_again)

    def _open_again(self) -> None:
        with self._opening:  # who waited for it may have been cancelled, and this goes on
            if self._closed or not self._lost or self._path is None or self._place is None:
                return
            self._close(_RETIRE_S)
            Place(self._path)  # there is one
            self._place.clear()
            self._open(create=False)
            self._lost = False

    def _close(self, limit_s: float = CLOSE_S) -> None:
        for worker in (self._reader, self._writer):  # the writer last: it takes the log into the file
            if worker is not None:
                worker.close(limit_s)


class _Transaction:
    """The statements of one transaction, on the connection that writes.

    Attributes:
        over: whether it has ended; what it is asked then is an error.
    """

    def __init__(self, here: Callable[[Callable[[Session], Any], Session], Any], writer: Worker) -> None:
        self._here = here
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
        result: T = await self._writer.run(partial(self._here, lambda session: work(in_transaction(session))))
        return result


def _roll_back(session: Session) -> None:
    if session.connection.in_transaction:  # SQLite rolls back by itself for some errors
        session.control("ROLLBACK")
