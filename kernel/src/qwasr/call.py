"""One guest call, as every layer sees it."""

from __future__ import annotations

import itertools
import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qwasr._deadlines import Deadlines
    from qwasr.command import Command
    from qwasr.engine.instance import Store
    from qwasr.trace import Traced

__all__ = ["CallInfo", "current_call", "new_call_id"]

# Each call's number times an odd one: no two are equal, neighbours look apart, and no call asks the kernel for entropy.
_numbers: Final = itertools.count(secrets.randbits(64))
_SPREAD: Final = 0x9E37_79B9_7F4A_7C15
_MASK: Final = (1 << 64) - 1

_current: ContextVar[CallInfo] = ContextVar("qwasr_current_call")


def new_call_id() -> str:
    """Return a fresh request id: 16 hexadecimal digits, which differ from process to process and are no secret."""
    return f"{next(_numbers) * _SPREAD & _MASK:016x}"


class CallInfo:
    """What belongs to one call of one guest.

    Attributes:
        id: the request id, in every log line of the call.
        guest: the component's name.
        store: the engine's store of this call; its limits and live resources.
        logged_bytes: how much the guest has printed so far; whoever logs it counts here, and stops at its limit.
        cause: what the call was made for, if that has a trace; see `qwasr.trace`.
    """

    __slots__ = ("__weakref__", "cause", "guest", "id", "logged_bytes", "store")

    def __init__(self, id: str, guest: str, store: Store) -> None:  # noqa: A002 - the field's own name
        self.id = id
        self.guest = guest
        self.store = store
        self.logged_bytes = 0
        self.cause: Traced | None = None

    @property
    def backend_deadlines(self) -> Deadlines | None:
        """What ends calls of backends that take too long; ``None`` where nothing does."""
        return None

    @property
    def command(self) -> Command | None:
        """What the call is given where it is one run of a command."""
        return None


def current_call() -> CallInfo:
    """Return the call that the running host function belongs to.

    Raises:
        LookupError: outside of a guest call.
    """
    return _current.get()
