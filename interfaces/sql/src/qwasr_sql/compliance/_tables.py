"""Tables for the rules, and what is put into them."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING, Any, Final

from qwasr.values import Variant

if TYPE_CHECKING:
    from qwasr_sql.protocol import Database, Runner, Sql

__all__ = ["DECLARED", "SAMPLES", "database", "fresh_name", "is_same", "one_value", "table"]

DECLARED: Final = {
    "int32": "INT4",
    "int64": "BIGINT",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float": "FLOAT4",
    "double": "DOUBLE PRECISION",
    "str": "TEXT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "binary": "BLOB",
}
"""For each case a declared type of SQLite that gives values back in this case."""

SAMPLES: Final[dict[str, tuple[Any, ...]]] = {
    "int32": (0, 1, -1, 2**31 - 1, -(2**31)),
    "int64": (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    "uint32": (0, 1, 2**32 - 1),
    "uint64": (0, 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
    "float": (0.0, -0.0, 1.0, 1.5, -0.25, 3.4028234663852886e38, 1.401298464324817e-45, math.inf, -math.inf, math.nan),
    "double": (0.0, -0.0, 1.0, 0.1, -1.5, 1e300, 5e-324, 2.0**53, 1e18, math.inf, -math.inf, math.nan),
    "str": (
        "",
        " ",
        "text",
        "0012",
        "12",
        "1e3",
        " 7 ",
        ".5",
        "0x10",
        "true",
        "NULL",
        "a'b\"c",
        "%_\\",
        "é",
        "🗝",
        "a\0b",
    ),
    "boolean": (True, False),
    "date": ("2024-02-29", "0001-01-01", "9999-12-31"),
    "time": ("00:00:00", "23:59:59", "12:30:00.123456"),
    "timestamp": ("2024-02-29T12:30:00", "2024-02-29T12:30:00.123456", "2024-02-29T12:30:00Z", "2024-02-29 12:30:00"),
    "binary": (b"", b"\x00", b"text", b"12", bytes(range(256))),
}
"""Values of each case, the unusual ones among them."""


def fresh_name() -> str:
    """Return a table's name that nobody else uses."""
    return f"compliance_{secrets.token_hex(8)}"


async def database(backend: Sql) -> Database:
    """Open the database of the rules."""
    return await backend.open_database("default")


async def table(runner: Runner, columns: str) -> str:
    """Make a table that nobody else uses, and return its name."""
    name = fresh_name()
    await runner.execute(f"CREATE TABLE {name} ({columns})")
    return name


async def one_value(runner: Runner, sql: str, *params: Variant) -> Variant:
    """Return the one value of a query's one row."""
    rows = (await runner.query(sql, params)).rows
    assert len(rows) == 1, f"{sql}: {len(rows)} rows"
    assert len(rows[0]) == 1, f"{sql}: {len(rows[0])} columns"
    return rows[0][0]


def is_same(given: Any, found: Any) -> bool:
    """Say whether a value is the same one: a number the same number, a text the same text, bytes the same bytes.

    A truth is the same as the integers 0 and 1, which databases without a type for it keep, and as no other number.
    """
    if isinstance(given, (str, bytes)) or isinstance(found, (str, bytes)):
        return type(given) is type(found) and given == found
    if given is None or found is None:
        return given is found
    if isinstance(given, bool) or isinstance(found, bool):
        return isinstance(given, int) and isinstance(found, int) and given == found
    if isinstance(given, float) and math.isnan(given):
        return isinstance(found, float) and math.isnan(found)
    same_sign = given != 0 or math.copysign(1, given) == math.copysign(1, found)
    return bool(given == found) and same_sign
