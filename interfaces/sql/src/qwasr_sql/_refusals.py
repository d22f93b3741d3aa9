"""What a guest's statement may do: whatever belongs to its one database file and to one statement."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import apsw

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Refusals"]

# What reads the schema or checks the file, and nothing that changes how the file is kept.
_PRAGMAS: Final = frozenset(
    {
        "application_id",
        "collation_list",
        "compile_options",
        "data_version",
        "foreign_key_check",
        "foreign_key_list",
        "foreign_keys",
        "function_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "page_count",
        "page_size",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
        "user_version",
    }
)
_QUESTIONS: Final = _PRAGMAS - {"foreign_keys", "page_size"}  # an argument of the others changes what it names
_REFUSED: Final = {
    apsw.SQLITE_TRANSACTION: "BEGIN, COMMIT and ROLLBACK",
    apsw.SQLITE_SAVEPOINT: "SAVEPOINT",
    apsw.SQLITE_ATTACH: "ATTACH and VACUUM",
    apsw.SQLITE_DETACH: "DETACH",
    apsw.SQLITE_CREATE_TEMP_INDEX: "a temporary index",
    apsw.SQLITE_CREATE_TEMP_TABLE: "a temporary table",
    apsw.SQLITE_CREATE_TEMP_TRIGGER: "a temporary trigger",
    apsw.SQLITE_CREATE_TEMP_VIEW: "a temporary view",
    apsw.SQLITE_CREATE_VTABLE: "a virtual table of this kind",
    apsw.SQLITE_PRAGMA: "this PRAGMA",
}
_FUNCTIONS: Final = {
    "load_extension": "load_extension is not for guests",
    **dict.fromkeys(
        ("last_insert_rowid", "changes", "total_changes"),
        "{} would tell of another statement, since connections are shared: use RETURNING, or what exec answers",
    ),
    **dict.fromkeys(
        ("json_patch", "jsonb_patch"), "{} takes the time of one text's length by the other's: use json_set"
    ),
}
_OTHERWISE: Final = "{} is not for guests: each statement is a transaction in its one database"
_TEMPORARY: Final = {
    apsw.SQLITE_CREATE_TABLE: apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_VIEW: apsw.SQLITE_CREATE_TEMP_VIEW,
}  # written as temp.name
_MODULES: Final = frozenset({"fts4", "fts5"})  # virtual tables that live in the file alone, and change no value


class Refusals:
    """The authorizer of one connection: it says no, and remembers to what.

    Attributes:
        why: what it refused last, and why.
    """

    __slots__ = ("_ours", "why")

    def __init__(self) -> None:
        self._ours = False
        self.why = ""

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let the host's own statements through.

        What is no guest's to do may not be kept by its text, or a guest's statement of the same text is let through.
        """
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

    def __call__(self, operation: int, first: str | None, second: str | None, db: str | None, _by: str | None) -> int:
        if db == "temp":
            operation = _TEMPORARY.get(operation, operation)
        if self._ours:
            return int(apsw.SQLITE_OK)
        if operation == apsw.SQLITE_FUNCTION:
            why = _FUNCTIONS.get(second or "")
            return int(apsw.SQLITE_OK) if why is None else self._no(why.format(second))
        name = _REFUSED.get(operation)
        if (
            name is None
            or (operation == apsw.SQLITE_PRAGMA and first in _PRAGMAS and (second is None or first in _QUESTIONS))
            or (operation == apsw.SQLITE_CREATE_VTABLE and second in _MODULES)
        ):
            return int(apsw.SQLITE_OK)
        return self._no(_OTHERWISE.format(name))

    def _no(self, why: str) -> int:
        self.why = why
        return int(apsw.SQLITE_DENY)
