"""What SQLite would make of a value in a column: it converts numbers to text and text to numbers, without a word.

A parameter that a statement writes to a column as it is must come out as it went in, so what the column's affinity
would make another value of is refused (https://www.sqlite.org/datatype3.html, section 3).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwasr_sql._types import case_of
from qwasr_sql.errors import DoesNotFit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

    from qwasr.values import Variant
    from qwasr_sql._assignments import Assignments

__all__ = ["Columns", "affinity", "stays"]

_NUMBER: Final = re.compile(rb"[\t-\r ]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[\t-\r ]*(?:\0.*)?", re.DOTALL)
_ROW_IDS: Final = (b"rowid", b"oid", b"_rowid_")
_MAX_TABLES: Final = 256
_ANYWHERE: Final = (
    "; where it goes is not followed: write it right in VALUES, in the outer SELECT or in SET, or as CAST(? AS type)"
)
_COLUMNS: Final = """
SELECT info.name, info.type, info.hidden, list.strict, list.type = 'table'
FROM pragma_table_list(?) AS list JOIN pragma_table_xinfo(?) AS info WHERE list.schema = 'main' ORDER BY info.cid
"""


def affinity(declared: str, *, strict: bool = False) -> str:
    """Return the affinity of a declared type: ``integer``, ``text``, ``blob``, ``real`` or ``numeric``.

    Args:
        declared: the type, empty if there is none.
        strict: whether the table is STRICT, where ``ANY`` keeps everything as it is.
    """
    name = declared.upper()
    if "INT" in name:
        return "integer"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if "BLOB" in name or not name or (strict and name == "ANY"):
        return "blob"
    return "real" if any(part in name for part in ("REAL", "FLOA", "DOUB")) else "numeric"


def stays(param: Variant, kind: str) -> bool:
    """Say whether a value is the same one after a column of that affinity took it."""
    value = param.value
    if value is None or kind == "blob" or param.case == "binary":
        return True
    if isinstance(value, str):
        return kind == "text" or _NUMBER.fullmatch(value.encode()) is None
    if kind == "text":
        return False  # a number becomes its digits
    if isinstance(value, bool):
        return kind != "real"
    if isinstance(value, float):
        return value != 0 or math.copysign(1, value) > 0  # SQLite has no negative zero
    return kind != "real" or int(float(value)) == value


class _Column(NamedTuple):
    name: str
    declared: str
    affinity: str

    def keeps(self, param: Variant) -> bool:
        """Say whether a value comes out of the column as the same one."""
        if isinstance(param.value, float) and case_of(self.declared) == "boolean":
            return False  # 1.0 becomes 1, and that is true
        return stays(param, self.affinity)


class _Table(NamedTuple):
    by_name: dict[bytes, _Column]
    in_order: list[_Column]  # those that an INSERT without names fills

    def columns(self, where: str | int | None) -> Iterable[_Column]:
        """Return the column of that name or place, or all that it may be."""
        if where is None:
            return self.in_order
        if isinstance(where, int):
            return self.in_order[where : where + 1]
        column = self.by_name.get(_fold(where))
        return () if column is None else (column,)


class Columns:
    """What columns the tables of a database have, as one connection sees them.

    Args:
        connection: the connection; what is asked of it here is the host's own.
    """

    __slots__ = ("_connection", "_tables", "_version")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._tables: dict[bytes, _Table | None] = {}
        self._version: object = None

    def check(self, writes: Assignments, params: Sequence[Variant]) -> None:
        """Raise `DoesNotFit` when a parameter would become another value in the column that it is written to."""
        table = self._table(writes.table)
        if table is None:
            return
        for number, where in writes.items:
            param = params[number - 1]
            for column in table.columns(where):
                if not column.keeps(param):
                    declared = column.declared or "its rowid"
                    why = _ANYWHERE if where is None else ""
                    raise DoesNotFit(
                        f"parameter {number} is a {param.case} that would become another value in the column "
                        f"{writes.table}.{column.name}, whose declared type is {declared}{why}"
                    )

    def _table(self, name: str) -> _Table | None:
        """Return a table; ``None`` for a view, a virtual table and what is not there."""
        version = self._connection.execute("PRAGMA schema_version").get
        if version != self._version or len(self._tables) > _MAX_TABLES:
            self._tables.clear()
            self._version = version
        folded = _fold(name)
        if folded not in self._tables:
            self._tables[folded] = self._read(name)
        return self._tables[folded]

    def _read(self, name: str) -> _Table | None:
        rows: list[Any] = self._connection.execute(_COLUMNS, (name, name)).fetchall()
        if not rows or not rows[0][4]:
            return None
        row_id = _Column("rowid", "", "integer")
        by_name = dict.fromkeys(_ROW_IDS, row_id)
        in_order = []
        for column_name, declared, hidden, strict, _ in rows:
            column = _Column(column_name, declared, affinity(declared, strict=bool(strict)))
            by_name[_fold(column_name)] = column
            if not hidden:
                in_order.append(column)
        return _Table(by_name, in_order)


def _fold(name: str) -> bytes:
    """Return what two names of one thing have in common: SQLite takes capitals for small letters in ASCII alone."""
    return name.encode().lower()
