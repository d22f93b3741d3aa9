"""One guest call, as every layer sees it."""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr.engine.instance import Store

__all__ = ["CallInfo", "current_call", "new_call_id"]

_current: ContextVar[CallInfo] = ContextVar("qwasr_current_call")


def new_call_id() -> str:
    """Return a fresh request id: 16 hexadecimal digits."""
    return secrets.token_hex(8)


class CallInfo:
    """What belongs to one call of one guest.

    Attributes:
        id: the request id, in every log line of the call.
        guest: the component's name.
        store: the engine's store of this call; its limits and live resources.
    """

    __slots__ = ("guest", "id", "store")

    def __init__(self, id: str, guest: str, store: Store) -> None:  # noqa: A002 - the field's own name
        self.id = id
        self.guest = guest
        self.store = store


def current_call() -> CallInfo:
    """Return the call that the running host function belongs to.

    Raises:
        LookupError: outside of a guest call.
    """
    return _current.get()
