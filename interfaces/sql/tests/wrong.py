"""Backends that do one thing wrong, to see that the compliance class catches it: what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from qwasr.values import Variant
    from qwasr_sql._database import SqliteDatabase
    from qwasr_sql.protocol import Rows, Runner
    from qwasr_sql.sqlite import Sqlite


class WrongDatabase:
    """A right database, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]]  # the rules that catch it

    def __init__(self, right: SqliteDatabase) -> None:
        self.right = right

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        return await self.right.query(sql, params)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return await self.right.execute(sql, params)

    def transaction(self) -> AbstractAsyncContextManager[Runner]:
        return self.right.transaction()


class Backend:
    """SQLite in memory with another class of databases."""

    def __init__(self, right: Sqlite, database: type[WrongDatabase]) -> None:
        self._right = right
        self._database = database
        self._open: dict[str, WrongDatabase] = {}

    async def open_database(self, name: str) -> Any:
        if name not in self._open:
            self._open[name] = self._database(await self._right.open_database(name))
        return self._open[name]
