"""What a keyvalue backend raises, and what the guest sees of it.

::

    KeyValueError           `other(message)`
    ├── NoSuchStore         `no-such-store`: there is no bucket of that name
    ├── AccessDenied        `access-denied`: the service refuses this bucket or key
    ├── Unavailable         `other(message)`: the service does not answer; the call may be tried again later
    ├── NotANumber          `other(message)`: an increment met a value that is no ASCII decimal number; it stays
    ├── CounterOverflow     `other(message)`: an increment would leave the range of a counter; the value stays
    ├── TooLarge            `other(message)`: a key, a value or a batch is larger than its bound
    ├── OutOfSpace          `other(message)`: the store is full; nothing was written
    └── InvalidCursor       `other(message)`: a cursor that no earlier page gave out

The message is what the guest reads, so it names no credential and no address. Anything else that a backend raises
becomes `other("internal error <id>")` for the guest and a log line with the same id and the traceback for the host.
"""

from __future__ import annotations

from typing import ClassVar

from qwasr.errors import QwasrError

__all__ = [
    "AccessDenied",
    "CounterOverflow",
    "InvalidCursor",
    "KeyValueError",
    "NoSuchStore",
    "NotANumber",
    "OutOfSpace",
    "TooLarge",
    "Unavailable",
]


class KeyValueError(QwasrError):
    """An operation failed in a way that the guest is told about.

    Attributes:
        case: the case of `wasi:keyvalue/store.error` that the guest gets.
    """

    case: ClassVar[str] = "other"


class NoSuchStore(KeyValueError):
    """The backend has no bucket of that name and does not make one."""

    case = "no-such-store"


class AccessDenied(KeyValueError):
    """The service refuses access to this bucket or key."""

    case = "access-denied"


class Unavailable(KeyValueError):
    """The service does not answer now; what was asked did not happen, or nobody knows whether it did."""


class NotANumber(KeyValueError):
    """A counter's value is not an ASCII decimal number; it was left as it is."""


class CounterOverflow(KeyValueError):
    """A counter would leave the range −2⁶³ … 2⁶³−1; it was left as it is."""


class TooLarge(KeyValueError):
    """A key, a value or a batch is larger than its bound; nothing was written."""


class OutOfSpace(KeyValueError):
    """The store is full; nothing was written."""


class InvalidCursor(KeyValueError):
    """A cursor that no earlier page gave out, or that is too old."""
