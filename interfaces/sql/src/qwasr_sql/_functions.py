"""SQLite's functions whose time grows with the product of two lengths: each is one step, which nothing can interrupt.

`trim(text, characters)` with 80 KB each takes ten seconds, and a guest that ended long ago would keep its thread so
long. So they look at the lengths first, and then ask SQLite's own function: on a connection that has no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import apsw

from qwasr_sql.errors import SqlError, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["guard_functions"]

# Name, arguments, and the largest product of the first two arguments' lengths: about a tenth of a second. `trim`
# compares character by character; `instr` and `replace` compare whole stretches of memory.
_GUARDED: Final = (
    ("trim", 2, 20_000_000),
    ("ltrim", 2, 20_000_000),
    ("rtrim", 2, 20_000_000),
    ("unhex", 2, 100_000_000),
    ("instr", 2, 10_000_000_000),
    ("replace", 3, 10_000_000_000),
)


def guard_functions(connection: apsw.Connection, is_cancelled: Callable[[], object]) -> apsw.Connection:
    """Have a connection's functions refuse arguments that would take them long.

    Args:
        connection: the connection, whose limits are set.
        is_cancelled: says whether nobody waits any more; a statement of many such calls ends then.

    Returns:
        The connection that does their work; whoever closes the one closes the other.
    """
    plain = apsw.Connection(":memory:")
    plain.limit(apsw.SQLITE_LIMIT_LENGTH, connection.limit(apsw.SQLITE_LIMIT_LENGTH))
    for name, arguments, most in _GUARDED:
        guarded = _guarded(plain, name, arguments, most, is_cancelled)
        # They are as innocuous as SQLite's own: a schema may use them in an index or a generated column.
        connection.create_scalar_function(name, guarded, arguments, deterministic=True, flags=apsw.SQLITE_INNOCUOUS)
    return plain


def _guarded(
    plain: apsw.Connection, name: str, arguments: int, most: int, is_cancelled: Callable[[], object]
) -> Callable[..., Any]:
    sql = f"SELECT {name}({', '.join('?' * arguments)})"

    def call(*values: Any) -> Any:
        if is_cancelled():
            raise SqlError("interrupted", "SQLITE_INTERRUPT")
        if _length(values[0]) * _length(values[1]) > most:
            raise TooLarge(f"{name} of values this long would take too much time")
        return plain.execute(sql, values).get

    return call


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 32  # a number has fewer digits
