"""The threads that work on one SQLite database, so that the event loop never waits for it: one writes, others read.

Each thread has a session of its own. A job is one function of that session. Whoever is cancelled while its job runs
cancels the session, under a lock, so that this can meet no other job.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_sql._session import Session

__all__ = ["CLOSE_S", "Worker"]

T = TypeVar("T")
_log: Final = logging.getLogger("qwasr.sql")
CLOSE_S: Final = 5.0  # what runs has so long to end by itself, in seconds


class _Job(Generic[T]):
    __slots__ = ("answer", "loop", "work")

    def __init__(self, work: Callable[[Session], T], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.answer: asyncio.Future[T] = loop.create_future()


class Worker:
    """Threads that take jobs from one queue.

    Args:
        sessions: one for each thread; the threads close them.
        name: of the threads.
    """

    def __init__(self, sessions: list[Session], name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[_Job[Any], Session] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(session,), name=name, daemon=True) for session in sessions
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Session], T]) -> T:
        """Have a function work on a session; it ends soon after a cancellation, and is not begun after one."""
        job = self._put(work)
        try:
            return await job.answer
        except asyncio.CancelledError:
            with self._lock:
                session = self._running.get(job)
                if session is not None:
                    session.cancel()
            raise

    def post(self, work: Callable[[Session], None]) -> None:
        """Have a function work on a session before anything that comes later; what it raises is logged."""
        self._put(work).answer.add_done_callback(_log_failure)

    def close(self, limit_s: float = CLOSE_S) -> None:
        """Let the threads finish what they were asked for, and close the sessions; it blocks until then.

        Args:
            limit_s: after so many seconds what still runs is cancelled.
        """
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        if not self._joined(limit_s):
            with self._lock:
                for session in self._running.values():
                    session.cancel()
            if not self._joined(limit_s):  # they are daemons: the process ends without them
                _log.error("a statement cannot be stopped; its database is left as it is")

    def _joined(self, limit_s: float) -> bool:
        ends_s = time.monotonic() + limit_s
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _put(self, work: Callable[[Session], T]) -> _Job[T]:
        if self._closed:
            msg = "the database is closed"
            raise RuntimeError(msg)
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        return job

    def _serve(self, session: Session) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                with self._lock:
                    if job.answer.cancelled():
                        continue
                    session.begin()
                    self._running[job] = session
                result = error = None
                try:
                    result = job.work(session)
                except Exception as reason:  # noqa: BLE001 - who waits gets it
                    error = reason
                with self._lock:
                    del self._running[job]
                if job.loop.is_closed():
                    return
                job.loop.call_soon_threadsafe(_deliver, job.answer, result, error)
                del job, result, error
        finally:
            session.close()


def _deliver(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():  # cancelled meanwhile
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _log_failure(answer: asyncio.Future[Any]) -> None:
    error = None if answer.cancelled() else answer.exception()
    if error is not None:
        _log.error("a transaction cannot be rolled back", exc_info=error)
