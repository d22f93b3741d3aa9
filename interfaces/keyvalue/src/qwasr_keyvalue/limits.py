"""How large keys and values may be, for guests, whatever the backend.

The engine carries `list<u8>` with 32 bytes a byte, and a guest that hands over more than about 2.6 MiB in one call
traps. So a value, and all values of one batch call together, have 2 MiB at most; beyond that the guest gets an error.
Python code that uses a backend directly is not bound by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr_keyvalue.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_CALL_BYTES", "MAX_KEY_BYTES", "check_key", "check_values"]

MAX_CALL_BYTES = 2 * 1024 * 1024  # values of one call, together
MAX_KEY_BYTES = 1024  # a key or an identifier in UTF-8
_SURELY_SHORT = MAX_KEY_BYTES // 4  # no character takes more than 4 bytes


def check_key(key: str) -> None:
    """Check the length of a key or an identifier.

    Raises:
        TooLarge: it is longer than `MAX_KEY_BYTES` in UTF-8.
    """
    if len(key) > _SURELY_SHORT and (size := len(key.encode())) > MAX_KEY_BYTES:
        msg = f"the key has {size} bytes, more than the {MAX_KEY_BYTES} that are allowed"
        raise TooLarge(msg)


def check_values(values: Iterable[bytes | None], before: int = 0) -> int:
    """Check the size of all values that one call carries.

    Args:
        values: the values.
        before: the size of others that it carries, in bytes.

    Returns:
        The size of all of them, in bytes.

    Raises:
        TooLarge: together they are larger than `MAX_CALL_BYTES`.
    """
    size = before + sum(len(value) for value in values if value is not None)
    if size > MAX_CALL_BYTES:
        msg = f"the call carries {size} bytes of values, more than the {MAX_CALL_BYTES} that are allowed"
        raise TooLarge(msg)
    return size
