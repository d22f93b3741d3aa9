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

from qwasr.sqlite._file import explain, open_file

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from qwasr.sqlite._file import Form, Place

__all__ = ["Threads"]

T = TypeVar("T")
_READERS: Final = 3
_TOGETHER: Final = 64  # jobs of one transaction: a commit is shared, and nobody waits for too many others
_SWEEP_S: Final = 1.0  # how often it is looked for something to tidy up, in seconds, while there is something to write
# When another process writes: a transaction takes some 0.1 ms, and SQLite's own waiting grows to 100 ms and lets others
# starve.
_FIRST_TRY_S: Final = 0.0003
_NEXT_TRY_S: Final = 0.004


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]
    until_s: float  # how long it waits for another process that writes


class _Outcome(NamedTuple):
    answer: asyncio.Future[Any]
    result: Any
    error: Exception | None


class Threads:
    """The threads of one file.

    Args:
        form: what is in it.
        place: where it is, and how it is used.
        loop: where answers are waited for.

    Raises:
        BackendError: the file cannot be opened, or is something else.
    """

    def __init__(self, form: Form, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        self._form = form
        self._loop = loop
        self._lock_timeout_s = place.lock_timeout_s
        self._swept_s = 0.0
        self._closed = False
        self._to_write: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._to_read: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        connections = [open_file(form, place, writes=True)]
        try:
            connections += [open_file(form, place, writes=False) for _ in range(_READERS)]
        except BaseException:
            for connection in connections:
                connection.close()
            raise
        connections[0].execute("PRAGMA busy_timeout = 0")  # the writer waits by itself: see `_begin`
        works = [(self._write, self._to_write), *[(self._read, self._to_read)] * _READERS]
        self._threads = [
            threading.Thread(target=self._serve, args=(connection, jobs, work), daemon=True)
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
            work: it raises `Form.expected` before it has written anything, and may be called again when others of the
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
            msg = f"the file of the {self._form.what} is closed"
            raise RuntimeError(msg)
        answer: asyncio.Future[T] = self._loop.create_future()
        jobs.put(_Job(work, answer, time.monotonic() + self._lock_timeout_s))
        return answer

    def _read(self, connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
        return [self._alone(connection, job) for job in jobs]

    def _write(self, connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
        while True:
            try:
                jobs = self._begin(connection, jobs)
            except sqlite3.Error as error:
                return [_Outcome(job.answer, None, explain(error, self._form)) for job in jobs]
            if not jobs:
                _roll_back(connection)
                return []
            try:
                outcomes = [self._outcome(connection, job) for job in jobs]
                self._sweep(connection)
                connection.execute("COMMIT")
            except Exception as error:  # noqa: BLE001 - everyone who waits gets it
                _roll_back(connection)
                if len(jobs) > 1:
                    return [outcome for job in jobs for outcome in self._write(connection, [job])]
                if not self._made_room(connection, error):
                    return [_Outcome(jobs[0].answer, None, self._explained(error))]
            else:
                return outcomes

    def _begin(self, connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Job]:
        """Begin a transaction that writes, when no other process does.

        Returns:
            The jobs that somebody still waits for; those whose time is over have their answer already.
        """
        _roll_back(connection)  # where that failed before
        wait_s = _FIRST_TRY_S
        while jobs := _wanted(jobs):
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                now_s = time.monotonic()
                late = [job for job in jobs if job.until_s <= now_s]
                self._answer([_Outcome(job.answer, None, explain(error, self._form)) for job in late])
                jobs = [job for job in jobs if job.until_s > now_s]
                time.sleep(random.uniform(0, wait_s))  # noqa: S311 - so that two processes do not keep step
                wait_s = min(2 * wait_s, _NEXT_TRY_S)
            else:
                break
        return _wanted(jobs)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Tidy up, now and then, and with each transaction while there is more to be tidied up."""
        now_s = time.monotonic()
        if (
            self._form.tidy is not None
            and now_s - self._swept_s >= _SWEEP_S
            and not _tidied(connection, self._form.tidy)
        ):
            self._swept_s = now_s

    def _made_room(self, connection: sqlite3.Connection, error: Exception) -> bool:
        """Tidy up where the file is full; return whether there was something, so that it is worth another try."""
        full = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        if self._form.tidy is None or not full:
            return False
        try:
            connection.execute("BEGIN IMMEDIATE")
            made = _tidied(connection, self._form.tidy)
            connection.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(connection)
            return False
        return made

    def _serve(
        self,
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
                if wanted := _wanted(together):
                    try:
                        outcomes = work(connection, wanted)
                    except Exception as error:  # noqa: BLE001 - everyone who waits gets it, and the thread goes on
                        outcomes = [_Outcome(one.answer, None, self._explained(error)) for one in wanted]
                    self._answer(outcomes)
                if self._loop.is_closed():
                    return
                job = jobs.get()
        finally:
            connection.close()

    def _answer(self, outcomes: list[_Outcome]) -> None:
        if outcomes and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, outcomes)

    def _outcome(self, connection: sqlite3.Connection, job: _Job) -> _Outcome:
        try:
            return _Outcome(job.answer, job.work(connection), None)
        except self._form.expected as error:
            return _Outcome(job.answer, None, error)

    def _alone(self, connection: sqlite3.Connection, job: _Job) -> _Outcome:
        try:
            return self._outcome(connection, job)
        except Exception as error:  # noqa: BLE001 - who waits gets it
            return _Outcome(job.answer, None, self._explained(error))

    def _explained(self, error: Exception) -> Exception:
        return explain(error, self._form) if isinstance(error, sqlite3.Error) else error


def _deliver(outcomes: list[_Outcome]) -> None:
    for answer, result, error in outcomes:
        if answer.done():  # cancelled meanwhile
            continue
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)


def _wanted(jobs: list[_Job]) -> list[_Job]:
    """Return the jobs that somebody still waits for."""
    return [job for job in jobs if not job.answer.cancelled()]


def _tidied(connection: sqlite3.Connection, tidy: Callable[[sqlite3.Connection], None]) -> bool:
    """Tidy up, and return whether there was anything."""
    before = connection.total_changes
    tidy(connection)
    return connection.total_changes != before


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite rolls back by itself for some errors
        connection.execute("ROLLBACK")
