"""How much memory of this process one call's messages take, however many they are spread over."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from qwasr.call import current_call
from qwasr.errors import GuestTrap

__all__ = ["MAX_HELD_BYTES", "MAX_UNTAKEN_BYTES", "Hold", "Ledger", "ledger"]

MAX_HELD_BYTES: Final = 4 * 1024 * 1024
"""How much all `fields` of one call may hold in this process's memory; more is a trap."""

MAX_UNTAKEN_BYTES: Final = 4 * 1024 * 1024
"""How much a call may write into bodies whose messages are not on their way; more is a trap."""


class Ledger:
    """What the messages of one call weigh together, in bytes; it knows the call by its id and so keeps nothing alive.

    Attributes:
        call: the call's id.
        held: the weight of its fields.
        untaken: the bytes in its bodies that no one takes yet.
    """

    __slots__ = ("call", "held", "untaken")

    def __init__(self, call: str) -> None:
        self.call = call
        self.held = 0
        self.untaken = 0


_ledger: ContextVar[Ledger | None] = ContextVar("qwasr_http_ledger", default=None)


def ledger() -> Ledger:
    """Return the ledger of the call that is under way."""
    try:
        call = current_call().id
    except LookupError:  # a host's own messages
        call = ""
    found = _ledger.get()
    if found is None or found.call != call:
        found = Ledger(call)
        _ledger.set(found)
    return found


class Hold:
    """The bytes of one body that no one takes yet; they count for as long as this is there."""

    __slots__ = ("_bytes", "_ledger")

    def __init__(self) -> None:
        self._bytes = 0
        self._ledger = ledger()

    def add(self, count: int) -> None:
        """Count so many more.

        Raises:
            GuestTrap: all bodies of the call hold more than they may.
        """
        self._bytes += count
        self._ledger.untaken += count
        if self._ledger.untaken > MAX_UNTAKEN_BYTES:
            message = f"bodies of a call that are not sent yet hold more than {MAX_UNTAKEN_BYTES} bytes"
            raise GuestTrap(message)

    def __del__(self) -> None:
        self._ledger.untaken -= self._bytes
