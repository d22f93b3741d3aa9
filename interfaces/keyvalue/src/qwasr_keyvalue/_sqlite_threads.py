"""The threads that work on a SQLite file, so that the event loop never waits for it: one writes, the others read.

Work comes in a queue. Whatever is in it when a thread is free is taken together: the writer does it in one transaction,
so that one commit serves all who wait, and the event loop is woken once. Nobody hears of a write before its commit.
"""

from __future__ import annotations

import queue
import random
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from qwasr_keyvalue._sqlite_file import explain, open_file
from qwasr_keyvalue.errors import KeyValueError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from qwasr_keyvalue.sqlite import SqliteOptions

__all__ = ["Threads"]

T = TypeVar("T")
_READERS: Final = 3
_TOGETHER: Final = 64  # jobs of one transaction: a commit is shared, and nobody waits for too many others
_SWEEP_S: Final = 1.0  # how often expired entries are removed, in seconds, while there is something to write
_SWEEP_ENTRIES: Final = 256  # and how many at once
_NEXT_TRY_S: Final = 0.004  # when another process writes: SQLite's own waiting grows to 100 ms and lets others starve


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]


class _Outcome(NamedTuple):
    answer: asyncio.Future[Any]
    result: Any
    error: Exception | None


class Threads:
    """The threads of one file.

    Args:
        path: the file.
        options: how it is opened.
        loop: where answers are waited for.
        clock: Unix time in seconds.

    Raises:
        BackendError: the file cannot be opened, or is something else.
    """

    def __init__(
        self, path: Path, options: SqliteOptions, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._lock_timeout_s = options.lock_timeout_s
        self._swept_s = 0.0
        self._closed = False
        self._to_write: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._to_read: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        connections = [open_file(path, options, writes=True)]
        try:
            connections += [open_file(path, options, writes=False) for _ in range(_READERS)]
        except BaseException:
            for connection in connections:
                connection.close()
            raise
        connections[0].execute("PRAGMA busy_timeout = 0")  # the writer waits by itself: see `_begin`
        works = [(self._write, self._to_write), *[(self._read, self._to_read)] * _READERS]
        self._threads = [
            threading.Thread(target=_serve, args=(self._loop, connection, jobs, work), daemon=True)
            for connection, (work, jobs) in zip(connections, works, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have a function read."""
        return self._ask(self._to_read, work)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have a function write, inside of a transaction.

        Args:
            work: it raises `KeyValueError` before it has written anything, and may be called again when others of the
                same transaction fail. It is not called at all when nobody waits for it any more.
        """
        return self._ask(self._to_write, work)

    def close(self) -> None:
        """Let the threads finish what they were asked for, and close the file; it blocks until then."""
        if self._closed:
            return
        self._closed = True
        writer, *readers = self._threads
        for _ in readers:
            self._to_read.put(None)
        for thread in readers:
            thread.join()
        self._to_write.put(None)  # last: who closes alone puts the log into the file and removes it
        writer.join()

    def _ask(self, jobs: queue.SimpleQueue[_Job | None], work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        if self._closed:
            msg = "the keyvalue store is closed"
            raise RuntimeError(msg)
        answer: asyncio.Future[T] = self._loop.create_future()
        jobs.put(_Job(work, answer))
        return answer

    def _read(self, connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
        return [_alone(connection, job) for job in jobs]

    def _write(self, connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
        try:
            self._begin(connection)
        except sqlite3.Error as error:
            return [_Outcome(job.answer, None, explain(error)) for job in jobs]
        try:
            outcomes = [_outcome(connection, job) for job in jobs]
            self._sweep(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - everyone who waits gets it
            _roll_back(connection)
            if len(jobs) == 1:
                return [_Outcome(jobs[0].answer, None, _explained(error))]
        else:
            return outcomes
        return [outcome for job in jobs for outcome in self._write(connection, [job])]

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that writes, when no other process does."""
        _roll_back(connection)  # where that failed before
        until_s = time.monotonic() + self._lock_timeout_s
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                    raise
                time.sleep(random.uniform(0, _NEXT_TRY_S))  # noqa: S311 - so that two processes do not keep step
            else:
                return

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Remove some entries that have expired, now and then."""
        now_s = time.monotonic()
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            connection.execute(
                "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE expires_at <= ? LIMIT ?)",
                (self._clock(), _SWEEP_ENTRIES),
            )


def _serve(
    loop: asyncio.AbstractEventLoop,
    connection: sqlite3.Connection,
    jobs: queue.SimpleQueue[_Job | None],
    work: Callable[[sqlite3.Connection, list[_Job]], list[_Outcome]],
) -> None:
    """Do the jobs of a queue until a `None` comes; what a thread runs."""
    try:
        job: _Job | None = jobs.get()
        while job is not None:
            together = [job]
            job = None
            while len(together) < _TOGETHER and not jobs.empty():
                job = jobs.get()
                if job is None:
                    jobs.put(None)  # it comes again, after these
                    break
                together.append(job)
            wanted = [one for one in together if not one.answer.cancelled()]
            try:
                outcomes = work(connection, wanted)
            except Exception as error:  # noqa: BLE001 - everyone who waits gets it, and the thread goes on
                outcomes = [_Outcome(one.answer, None, _explained(error)) for one in wanted]
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(_deliver, outcomes)
            job = jobs.get()
    finally:
        connection.close()


def _deliver(outcomes: list[_Outcome]) -> None:
    for answer, result, error in outcomes:
        if answer.done():  # cancelled meanwhile
            continue
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)


def _outcome(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    try:
        return _Outcome(job.answer, job.work(connection), None)
    except KeyValueError as error:
        return _Outcome(job.answer, None, error)


def _alone(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    try:
        return _outcome(connection, job)
    except Exception as error:  # noqa: BLE001 - who waits gets it
        return _Outcome(job.answer, None, _explained(error))


def _explained(error: Exception) -> Exception:
    return explain(error) if isinstance(error, sqlite3.Error) else error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite rolls back by itself for some errors
        connection.execute("ROLLBACK")
