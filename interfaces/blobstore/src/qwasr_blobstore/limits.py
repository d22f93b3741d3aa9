"""Bounds of what a guest may ask for, the same on every backend; and what a range means."""

from __future__ import annotations

from typing import Final

from qwasr_blobstore.errors import BlobstoreError, InvalidRange, TooLarge

__all__ = [
    "MAX_NAMES",
    "MAX_NAMES_BYTES",
    "MAX_NAME_BYTES",
    "MAX_SYNC_BYTES",
    "MAX_WAITING_BYTES",
    "MAX_WAITING_MEMORY_BYTES",
    "PAGE_NAMES",
    "PIECE_BYTES",
    "check_name",
    "span",
]

MAX_NAME_BYTES: Final = 1024
"""The longest name of a container or an object, as UTF-8."""

MAX_NAMES: Final = 10_000
"""The most names in one call of a guest, either way."""

MAX_NAMES_BYTES: Final = 1024 * 1024
"""How much text of names one answer to a guest has before it ends, as UTF-8."""

MAX_WAITING_BYTES: Final = 4 * 1024**3
"""How much all guests of a process may write into values that have no object yet."""

MAX_WAITING_MEMORY_BYTES: Final = 32 * 1024 * 1024
"""How much of what guests write all values of a process keep in memory; what has no object yet is in files then."""

MAX_SYNC_BYTES: Final = 2 * 1024 * 1024
"""The largest object that a guest may take as one value: that costs 32 times its size while it crosses."""

PAGE_NAMES: Final = 1_000
"""The most names of one page."""

PIECE_BYTES: Final = 256 * 1024
"""How much is read or written at once."""


def check_name(name: str, what: str) -> None:
    """Raise `BlobstoreError` when a name is empty, too long or no Unicode text."""
    if not name:
        raise BlobstoreError(f"the name of {what} is empty")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, which no guest can hand over
        raise BlobstoreError(f"the name of {what} is no Unicode text") from None
    if size > MAX_NAME_BYTES:
        raise TooLarge(f"the name of {what} has {size} bytes, more than {MAX_NAME_BYTES}")


def span(start: int, end: int, size: int) -> int:
    """Return how many bytes an inclusive range has in an object of that size.

    Raises:
        InvalidRange: it begins after its end, or behind the object's.
    """
    if start > end:
        raise InvalidRange(f"the range begins at {start}, after its end, {end}")
    if start >= size and not start == size == 0:
        raise InvalidRange(f"the range begins at {start}, and the object has {size} bytes")
    return min(end + 1, size) - start
