"""WIT values that Python has no type of its own for.

================================ ==========================================================
integers, floats, bool, string   ``int``, ``float``, ``bool``, ``str``; ``char`` is a ``str`` of one
``list<u8>``, list, tuple        ``bytes`` (any buffer on the way to the guest), ``list``, ``tuple``
record                           a slotted dataclass made at link time; any object with the attributes is accepted
variant                          `Variant`
enum, flags                      ``str``, ``frozenset[str]``
option                           ``None`` or the value; inside another option `Some` or ``None``
result                           a whole result returns or raises `WitError`; deeper it is `Ok` or `Err`
own, borrow                      the resource object; a guest's own resource is an opaque handle
================================ ==========================================================

Names of fields are Python's (``content_type``); names of cases, enums and flags are WIT's (``"not-found"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Err", "Ok", "Some", "Variant", "WitError"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One case of a WIT variant, with its payload if the case has one.

    Args:
        case: the case's name as the WIT spells it, for example ``"no-such-store"``.
        value: the payload, ``None`` for a case without.
    """

    case: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Ok:
    """The good side of a result that is not a function's whole result."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Err:
    """The bad side of a result that is not a function's whole result."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Some:
    """The full inner option of an option inside an option."""

    value: Any


class WitError(Exception):
    """The error of a WIT function whose whole result is a ``result``.

    A host function raises it to answer `err(value)`; a guest's export that answers `err` raises it in the caller.

    Args:
        value: the error in the shape of the WIT error type, ``None`` where the type has no payload.
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value
