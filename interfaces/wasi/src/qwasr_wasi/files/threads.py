"""Where files block: a few threads of their own, and open files that outlive whoever let go of them too early.

A call of a guest may end while a thread still works for it, by its deadline for instance. The number of an open file
must not be closed then: it would be given to another file, and the thread would go on with that one. So a `Handle` is
held by everything that uses it, each operation included, and closed when the last one lets go, also in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from qwasr_wasi.files.ledger import Entry, Ledger
    from qwasr_wasi.files.places import Places

__all__ = ["FileThreads", "Handle"]

T = TypeVar("T")
_NAME: Final = "qwasr-files"
_logger: Final = logging.getLogger("qwasr.files")


class FileThreads:
    """The threads that work on files.

    Args:
        threads: how many; as many operations run at once.
        places: who has how many files open.
    """

    def __init__(self, threads: int, places: Places) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=_NAME)
        self.places = places
        self.lock = threading.Lock()  # over every handle's count of holders

    async def run(
        self,
        work: Callable[..., T],
        *arguments: Any,
        holding: Sequence[Handle],
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Return what a blocking function returns; when the wait is cancelled the function ends unobserved.

        Args:
            work: runs in a thread.
            arguments: its arguments.
            holding: what it uses.
            undo: takes a result that nobody waits for any more.
        """
        for handle in holding:
            handle.hold()
        future = self._executor.submit(work, *arguments)
        future.add_done_callback(partial(_release, holding))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if undo is not None:
                future.add_done_callback(partial(_undo, undo))
            raise

    def closing(self, close: Callable[[], None]) -> None:
        """Close something in a thread: what was the last to hold a large file that is deleted may take its time."""
        try:
            self._executor.submit(close)
        except RuntimeError:  # the threads have ended, or are about to
            close()

    async def close(self) -> None:
        """Finish what runs, and end the threads."""
        await asyncio.to_thread(self._executor.shutdown)


class Handle:
    """An open file or folder; whoever makes it holds it.

    Args:
        threads: where it is closed.
        fd: the operating system's number; the handle closes it.
        status: what `fstat` says of it.
        ledger: where an open regular file has its entry; the handle leaves it when it closes.
        owner: whose place among the open files it has, to be given back; ``None`` if it has none.
    """

    __slots__ = ("_holders", "_ledger", "_owner", "_threads", "entry", "fd", "identity", "mode")

    def __init__(
        self,
        threads: FileThreads,
        fd: int,
        status: os.stat_result,
        ledger: Ledger | None = None,
        *,
        owner: str | None = None,
    ) -> None:
        self._threads = threads
        self._holders = 1
        self._owner = owner
        self._ledger = ledger
        self.fd = fd
        self.mode = status.st_mode
        self.identity = (status.st_dev, status.st_ino)
        self.entry: Entry | None = None if ledger is None else ledger.enter(self)

    def hold(self) -> Handle:
        """Return the handle for one holder more."""
        with self._threads.lock:
            self._holders += 1
        return self

    def release(self) -> None:
        """Let go of the handle; the last holder's closes it."""
        with self._threads.lock:
            self._holders -= 1
            if self._holders:
                return
        self._threads.closing(self._close)

    def _close(self) -> None:
        try:
            if self._ledger is not None:
                self._ledger.leave(self)
            os.close(self.fd)
        except OSError as error:  # on some file systems it is now that a write fails
            _logger.warning("a file of a guest's could not be closed cleanly: %s", error.strerror)
        finally:
            if self._owner is not None:
                self._threads.places.give_back(self._owner)


def _release(handles: Sequence[Handle], _done: Future[Any]) -> None:
    for handle in handles:
        handle.release()


def _undo(undo: Callable[[T], object], done: Future[T]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo(done.result())
