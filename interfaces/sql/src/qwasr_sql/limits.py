"""Bounds of what a guest may ask for, the same on every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_sql.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.values import Variant
    from qwasr_sql.protocol import Rows

__all__ = [
    "MAX_NAME_BYTES",
    "MAX_PARAMETERS",
    "MAX_RESULT_BYTES",
    "MAX_ROWS",
    "MAX_SQL_BYTES",
    "MAX_VALUE_BYTES",
    "check_rows",
    "check_statement",
]

MAX_NAME_BYTES: Final = 1024
"""The longest name of a database, as UTF-8."""

MAX_SQL_BYTES: Final = 256 * 1024
"""The longest text of a statement, as UTF-8."""

MAX_PARAMETERS: Final = 16_000
"""The most parameters of a statement: below QWASR_VALUE_ITEMS, so that one more is an error and not the guest's end."""

MAX_VALUE_BYTES: Final = 2 * 1024 * 1024
"""All parameters of a statement together: whole values cross to a guest at 32 times their size."""

MAX_ROWS: Final = 200_000
"""The most rows of a result; a backend's own bound is no higher."""

MAX_RESULT_BYTES: Final = 64 * 1024 * 1024
"""All values of a result together; a backend's own bound is no higher."""


def check_rows(found: Rows) -> None:
    """Raise `TooLarge` when a backend lets through what is above every bound."""
    if len(found.rows) > MAX_ROWS:
        raise TooLarge(f"the result has more than {MAX_ROWS} rows; ask for fewer")
    if sum(_bytes(cell.value) for row in found.rows for cell in row) > MAX_RESULT_BYTES:
        raise TooLarge(f"the result is larger than {MAX_RESULT_BYTES} bytes; ask for less")


def check_statement(sql: str, params: Sequence[Variant]) -> None:
    """Raise `TooLarge` when a statement or its parameters are above their bounds."""
    if len(sql.encode()) > MAX_SQL_BYTES:
        raise TooLarge(f"the statement is longer than {MAX_SQL_BYTES} bytes")
    if len(params) > MAX_PARAMETERS:
        raise TooLarge(f"the statement has {len(params)} parameters, more than {MAX_PARAMETERS}")
    size = sum(_bytes(param.value) for param in params)
    if size > MAX_VALUE_BYTES:
        raise TooLarge(f"the parameters have {size} bytes together, more than {MAX_VALUE_BYTES}")


def _bytes(value: object) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else 0
