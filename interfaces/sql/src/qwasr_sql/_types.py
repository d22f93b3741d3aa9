"""Between `wasi:sql` values and SQLite's, which have five storage classes and no more.

A value goes in as the storage class that holds it exactly, or not at all. It comes out in the case of its column's
declared type if that can hold it, else in the case of its storage class: always the same value, sometimes under a
wider name. docs/sql.md has the table.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final

from qwasr.values import Variant
from qwasr_sql.errors import DoesNotFit

if TYPE_CHECKING:
    from collections.abc import Callable

    Stored = int | float | str | bytes | None

__all__ = ["Stored", "case_of", "lifter", "stored"]

_MAX_INTEGER: Final = 2**63 - 1
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?")
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?"
)
_WIDTH: Final = re.compile(r"\s*\([^)]*\)")

# The first word of a declared type decides, or all of them where several make one type.
_DECLARED: Final = {
    **dict.fromkeys(("INTEGER", "INT", "BIGINT", "INT8", "INT64", "SIGNED BIG INT"), "int64"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT2", "INT4", "INT32"), "int32"),
    **dict.fromkeys(("UINT", "UINT32", "UINT4", "UNSIGNED INT", "INT UNSIGNED", "INTEGER UNSIGNED"), "uint32"),
    **dict.fromkeys(("UINT64", "UINT8", "UNSIGNED BIG INT", "UNSIGNED BIGINT", "BIGINT UNSIGNED"), "uint64"),
    **dict.fromkeys(("FLOAT4", "FLOAT32"), "float"),
    **dict.fromkeys(("REAL", "DOUBLE", "DOUBLE PRECISION", "FLOAT", "FLOAT8", "FLOAT64"), "double"),
    **dict.fromkeys(
        ("TEXT", "VARCHAR", "CHAR", "CHARACTER", "NCHAR", "NVARCHAR", "CLOB", "STRING", "CHARACTER VARYING"), "str"
    ),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "boolean"),
    "DATE": "date",
    "TIME": "time",
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMPTZ"), "timestamp"),
    **dict.fromkeys(("BLOB", "BINARY", "VARBINARY", "BYTEA"), "binary"),
}
_BY_CLASS: Final[dict[type, str]] = {int: "int64", float: "double", str: "str", bytes: "binary"}


def stored(param: Variant) -> Stored:
    """Return what SQLite keeps of a value.

    Raises:
        DoesNotFit: it would keep another value.
    """
    case, value = param.case, param.value
    if value is None:
        return None
    if case == "uint64" and value > _MAX_INTEGER:
        raise DoesNotFit(f"uint64 {value} is above 2^63-1, the largest integer that SQLite keeps")
    if case in ("float", "double") and math.isnan(value):
        raise DoesNotFit(f"{case} NaN cannot be kept: SQLite makes NULL of it")
    if case == "boolean":
        return int(value)
    check = _TEXTS.get(case)
    if check is not None and not check(value):
        raise DoesNotFit(f"{case} {value[:40]!r} is none: write {_FORMS[case]}")
    return value  # type: ignore[no-any-return]  # a payload is as its case says


def lifter(declared: str | None) -> Callable[[Stored], Variant]:
    """Return what makes a `wasi:sql` value of one that a column holds.

    Args:
        declared: the column's declared type, ``None`` for an expression.
    """
    case = None if declared is None else case_of(declared)
    if case is None:
        return _by_class
    fits = _FITS[case]
    null = Variant(case, None)

    def lift(value: Stored) -> Variant:
        if value is None:
            return null
        fitting = fits(value)
        return _by_class(value) if fitting is None else Variant(case, fitting)

    return lift


def case_of(declared: str) -> str | None:
    """Return the case under which a column of a declared type gives values back that fit it."""
    return _DECLARED.get(" ".join(_WIDTH.sub("", declared).upper().split()))


def _by_class(value: Stored) -> Variant:
    return Variant("str", None) if value is None else Variant(_BY_CLASS[type(value)], value)


def _within(low: int, high: int) -> Callable[[Stored], int | None]:
    return lambda value: value if type(value) is int and low <= value <= high else None


def _boolean(value: Stored) -> bool | None:
    return bool(value) if type(value) is int and value in (0, 1) else None


def _double(value: Stored) -> float | None:
    return value if type(value) is float else None


def _float(value: Stored) -> float | None:
    if type(value) is not float:
        return None
    try:
        return value if struct.unpack("f", struct.pack("f", value))[0] == value else None
    except OverflowError:
        return None


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _parses(date.fromisoformat, text)


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _parses(time.fromisoformat, text[:8])


def _is_timestamp(text: str) -> bool:
    parts = _TIMESTAMP.fullmatch(text)
    return parts is not None and _parses(datetime.fromisoformat, f"{parts[1]}T{parts[2][:8]}")


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_TEXTS: Final[dict[str, Callable[[str], bool]]] = {"date": _is_date, "time": _is_time, "timestamp": _is_timestamp}
_FORMS: Final = {
    "date": "YYYY-MM-DD",
    "time": "HH:MM:SS, with up to nine digits of a second",
    "timestamp": "YYYY-MM-DDTHH:MM:SS, with up to nine digits of a second and Z or an offset",
}


def _text(check: Callable[[str], bool]) -> Callable[[Stored], str | None]:
    return lambda value: value if type(value) is str and check(value) else None


_FITS: Final[dict[str, Callable[[Stored], object]]] = {
    "int32": _within(-(2**31), 2**31 - 1),
    "int64": _within(-(2**63), _MAX_INTEGER),
    "uint32": _within(0, 2**32 - 1),
    "uint64": _within(0, _MAX_INTEGER),
    "float": _float,
    "double": _double,
    "str": _text(lambda _: True),
    "boolean": _boolean,
    "date": _text(_is_date),
    "time": _text(_is_time),
    "timestamp": _text(_is_timestamp),
    "binary": lambda value: value if type(value) is bytes else None,
}
