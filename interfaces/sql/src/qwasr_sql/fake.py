"""Databases for tests: SQLite in memory, which a test fills and reads with plain Python values.

::

    async def test_a_visit_is_counted(guest):
        guest.sql.execute("CREATE TABLE visits (path TEXT PRIMARY KEY, count INTEGER)")
        await guest.get("/")
        assert guest.sql.rows("SELECT * FROM visits") == [{"path": "/", "count": 1}]
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from qwasr.testing.fakes import FakeBackend
from qwasr.values import Variant
from qwasr_sql._fixed import fix
from qwasr_sql._session import Session
from qwasr_sql._statements import execute, in_transaction, query
from qwasr_sql.errors import SqlError
from qwasr_sql.sqlite import SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qwasr.testing.clock import Clock
    from qwasr_sql.protocol import Rows, Runner

__all__ = ["FakeDatabase", "FakeSql"]

_CASES = {bool: "boolean", int: "int64", float: "double", str: "str", bytes: "binary", type(None): "str"}


class FakeSql(FakeBackend, Mapping[str, "FakeDatabase"]):
    """SQLite in memory; a mapping of names to databases, ``default`` and the empty one the same.

    Every name has a database, as soon as the guest or the test asks for it; those are listed. `execute` and `rows` work
    on the default one.
    """

    provides: ClassVar[tuple[str, ...]] = ("sql",)

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._databases: dict[str, FakeDatabase] = {}

    def __getitem__(self, name: str) -> FakeDatabase:
        """Return a database, which is made when it is not there."""
        name = name or "default"
        if name not in self._databases:
            self._databases[name] = FakeDatabase(self, name)
        return self._databases[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names that somebody asked for."""
        return iter(self._databases)

    def __len__(self) -> int:
        """Return how many databases somebody asked for."""
        return len(self._databases)

    def execute(self, sql: str, *values: Any) -> int:
        """Run a statement on the default database; see `FakeDatabase.execute`."""
        return self["default"].execute(sql, *values)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return what a query on the default database finds; see `FakeDatabase.rows`."""
        return self["default"].rows(sql, *values)

    async def open_database(self, name: str) -> RecordingDatabase:
        """Open a database for a guest."""
        await self.step("open_database", name)
        return self[name].recording

    async def close(self) -> None:
        """Forget everything."""
        while self._databases:
            self._databases.popitem()[1].session.close()


class FakeDatabase:
    """A database for the test itself: nothing of it is recorded, delayed or fails by plan."""

    def __init__(self, fake: FakeSql, name: str) -> None:
        self.session = Session(None, SqliteOptions(), writes=True)
        fix(self.session, fake.clock, name)
        self.recording = RecordingDatabase(fake, name, self.session)

    def execute(self, sql: str, *values: Any) -> int:
        """Run a statement; return how many rows it changed.

        Args:
            sql: the statement.
            values: its parameters, as plain Python values or as `Variant`.

        Raises:
            SqlError: it failed.
        """
        return execute(self.session, sql, [_variant(value) for value in values])

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return what a query finds: a dictionary for each row, from a column's name to a plain Python value.

        Args:
            sql: the query.
            values: its parameters, as plain Python values or as `Variant`.

        Raises:
            SqlError: it failed.
        """
        found = query(self.session, sql, [_variant(value) for value in values])
        return [dict(zip(found.columns, [cell.value for cell in row], strict=True)) for row in found.rows]


class RecordingDatabase:
    """A database as guests have it: `qwasr_sql.protocol.Database`, and each call of it is a step of the fake."""

    __slots__ = ("_fake", "_name", "_session", "_turn")

    def __init__(self, fake: FakeSql, name: str, session: Session) -> None:
        self._fake = fake
        self._name = name
        self._session = session
        self._turn = asyncio.Lock()  # a transaction has the database for itself

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        """Run a statement that answers with rows."""
        await self._fake.step("query", self._name, sql, list(params))
        async with self._turn:
            return query(self._session, sql, params)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        """Run a statement."""
        await self._fake.step("execute", self._name, sql, list(params))
        async with self._turn:
            return execute(self._session, sql, params)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Runner]:
        """Return a transaction."""
        await self._fake.step("transaction", self._name)
        async with self._turn:
            self._session.control("BEGIN IMMEDIATE")
            running = _FakeTransaction(self._session)
            try:
                yield running
                in_transaction(self._session).control("COMMIT")
            except BaseException:
                if self._session.connection.in_transaction:
                    self._session.control("ROLLBACK")
                raise
            finally:
                running.over = True


class _FakeTransaction:
    __slots__ = ("_session", "over")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.over = False

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        return query(self._going_on(), sql, params)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return execute(self._going_on(), sql, params)

    def _going_on(self) -> Session:
        if self.over:
            raise SqlError("the transaction is over")
        return in_transaction(self._session)


def _variant(value: Any) -> Variant:
    return value if isinstance(value, Variant) else Variant(_CASES[type(value)], value)
