"""Work on a disk: in threads of its own, and what its errors mean."""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec, TypeVar

from qwasr_blobstore.errors import AccessDenied, BlobstoreError, OutOfSpace, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Threads", "disk_errors"]

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 8  # a disk does not get faster by more, and a slow one holds up no other work of the process
_KINDS: Final[dict[int, type[BlobstoreError]]] = {
    errno.ENOSPC: OutOfSpace,
    errno.EDQUOT: OutOfSpace,
    errno.EFBIG: TooLarge,
    errno.EACCES: AccessDenied,
    errno.EPERM: AccessDenied,
    errno.EROFS: AccessDenied,
}


class Threads:
    """Threads for one store's disk."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="qwasr-blobstore")

    async def run(self, work: Callable[..., T], *arguments: Any, undo: Callable[[T], Any] | None = None) -> T:
        """Do something in a thread. Cancelled, it is not waited for: it ends by itself.

        Args:
            work: what blocks.
            arguments: what it is called with.
            undo: takes what it returns when nobody is there any more to take it.
        """
        try:
            doing = self._pool.submit(work, *arguments)
        except RuntimeError:
            raise Unavailable("the store is closed: it is unavailable") from None
        try:
            return await asyncio.wrap_future(doing)
        except asyncio.CancelledError:
            if undo is not None:
                doing.add_done_callback(_undone_by(undo))
            raise

    def later(self, work: Callable[[], object]) -> None:
        """Do something in a thread that nobody waits for but `close`; right here when that is over."""
        try:
            self._pool.submit(work)
        except RuntimeError:
            work()

    async def close(self) -> None:
        """Return when everything is done."""
        await asyncio.to_thread(self._pool.shutdown)


def _undone_by(undo: Callable[[T], Any]) -> Callable[[Future[T]], None]:
    def done(work: Future[T]) -> None:
        if not work.cancelled() and work.exception() is None:
            undo(work.result())

    return done


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say what an error of the disk means."""
    try:
        yield
    except OSError as error:
        _explain(error)


def _explain(error: OSError) -> NoReturn:
    reason = os.strerror(error.errno or errno.EIO)
    kind = _KINDS.get(error.errno or 0, Unavailable)
    text = f"the store is unavailable: the disk says: {reason}" if kind is Unavailable else f"the disk says: {reason}"
    raise kind(text) from None
