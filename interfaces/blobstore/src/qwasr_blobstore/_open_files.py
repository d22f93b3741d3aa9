"""Files that stay open for as long as a guest likes: how many there may be, and how they are closed.

Each takes a descriptor of the process, and the whole process fails when it has none left.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from qwasr.call import current_call, new_call_id
from qwasr_blobstore.errors import BlobstoreError, Unavailable
from qwasr_wasi.files.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OpenFile", "OpenFiles", "owner_now"]


class OpenFile:
    """A descriptor that threads work with; whoever lets go of it need not wait for them.

    Args:
        descriptor: the descriptor, which is its own from now on.
        closed: is called when the descriptor is closed.
    """

    def __init__(self, descriptor: int, closed: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._tell_closed = closed
        self._mutex = threading.Lock()
        self._users = 0
        self._closed = False

    @contextmanager
    def use(self) -> Iterator[int]:
        """Return the descriptor, which stays open meanwhile.

        Raises:
            Unavailable: it was let go of.
        """
        with self._mutex:
            if self._closed:
                raise Unavailable("the object is unavailable: it is closed already")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._mutex:
                self._users -= 1
                last = self._closed and not self._users
            if last:
                self._close()

    def close(self) -> None:
        """Close it, now or when the last thread is done with it. Idempotent."""
        with self._mutex:
            last = not self._closed and not self._users
            self._closed = True
        if last:
            self._close()

    def _close(self) -> None:
        try:
            os.close(self._descriptor)
        finally:
            self._tell_closed()


class OpenFiles:
    """A bound of how many files are open; used from threads.

    Args:
        most: how many may be.
        most_per_call: how many of them one call of a guest may have.
        refusal: what a guest is told that wants more.
    """

    def __init__(self, most: int, most_per_call: int, refusal: str) -> None:
        self._places = Places(most, most_per_call)
        self._refusal = refusal

    def open(self, make: Callable[[], int], owner: str) -> OpenFile:
        """Return the file whose descriptor `make` returns.

        Args:
            make: opens it.
            owner: whose it is, see `owner_now`.

        Raises:
            BlobstoreError: there are too many already, and `make` was not called.
        """
        try:
            self._places.take(owner)
        except OSError:
            raise BlobstoreError(self._refusal) from None
        give_back = partial(self._places.give_back, owner)
        try:
            return OpenFile(make(), give_back)
        except BaseException:
            give_back()
            raise


def owner_now() -> str:
    """Return whose a file is that is opened now: the running call's; to be asked in the event loop, not in a thread."""
    try:
        return current_call().id
    except LookupError:  # Python's own, which no call bounds
        return new_call_id()
