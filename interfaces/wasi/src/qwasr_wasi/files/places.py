"""How many files guests may have open at once: one guest, and all of them together.

A place is taken by each open file and folder, each listing and each stream: a stream keeps up to 64 KiB in memory.
"""

from __future__ import annotations

import errno
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwasr.call import current_call
from qwasr_wasi.files.beneath import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Places", "owner_now"]


class Places:
    """Who has how many files open; used from the event loop and from threads.

    Args:
        most: how many all guests may have open together.
        most_each: how many one of them.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._lock = threading.Lock()
        self._by_owner: dict[str, int] = {}
        self.taken = 0

    def take(self, owner: str) -> None:
        """Take a place for a guest's call.

        Raises:
            OSError: `EMFILE`, there is none left for it.
        """
        with self._lock:
            own = self._by_owner.get(owner, 0)
            if self.taken >= self._most or own >= self._most_each:
                raise fault(errno.EMFILE)
            self._by_owner[owner] = own + 1
            self.taken += 1

    def give_back(self, owner: str) -> None:
        """Give one of a call's places back."""
        with self._lock:
            self.taken -= 1
            own = self._by_owner.pop(owner) - 1
            if own:
                self._by_owner[owner] = own

    @contextmanager
    def taking(self, owner: str) -> Iterator[None]:
        """Take a place that is given back when the body fails."""
        self.take(owner)
        try:
            yield
        except BaseException:
            self.give_back(owner)
            raise


def owner_now() -> str:
    """Return whose place one is that is taken now: the id of the running call."""
    try:
        return current_call().id
    except LookupError:  # an engine without a runtime around it
        return "-"
