"""A model of a database: what every row has to be. SQLite in memory and in a file is tested against it."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qwasr.values import Variant
from qwasr_sql.errors import SqlError
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_sql.protocol import Runner

T = TypeVar("T")

IDS = st.integers(0, 5)
NAMES = st.one_of(st.none(), st.sampled_from(["", "a", "b", "12", "🗝", "a\0b"]))
Rows = dict[int, str | None]


class SqlMachine(RuleBasedStateMachine):
    """Statements and transactions in any order; names are unique, so that some fail."""

    in_file = False

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        where = f"{self._folder.name}/test.db" if self.in_file else ":memory:"
        self.sqlite = self.done(Sqlite.connect(SqliteOptions(database=where, readers=2)))
        self.database = self.done(self.sqlite.open_database(""))
        self.done(self.database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
        self.rows: Rows = {}
        self.before: Rows | None = None  # of an open transaction
        self.block: Any = None
        self.transaction: Runner | None = None

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in an event loop of our own."""
        return self._runner.run(asyncio.wait_for(coroutine, 10))

    @property
    def runner(self) -> Runner:
        """The transaction while there is one, or else the database."""
        return self.transaction or self.database

    def execute(self, sql: str, *params: Variant) -> int | None:
        """Run a statement; `None` when it fails."""
        try:
            return self.done(self.runner.execute(sql, params))
        except SqlError:
            return None

    @rule(id=IDS, name=NAMES)
    def insert(self, id: int, name: str | None) -> None:  # noqa: A002 - the column's name
        fits = id not in self.rows and (name is None or name not in self.rows.values())
        done = self.execute("INSERT INTO t (id, name) VALUES (?, ?)", Variant("int32", id), Variant("str", name))
        assert done == (1 if fits else None)
        if fits:
            self.rows[id] = name

    @rule(rows=st.dictionaries(IDS, NAMES, min_size=1, max_size=4))
    def insert_many(self, rows: Rows) -> None:
        names = [name for name in rows.values() if name is not None]
        fits = (
            not rows.keys() & self.rows.keys()
            and len(set(names)) == len(names)
            and not set(names) & set(self.rows.values())
        )
        params = [value for one, name in rows.items() for value in (Variant("int64", one), Variant("str", name))]
        sql = f"INSERT INTO t (id, name) VALUES {', '.join(['(?, ?)'] * len(rows))}"
        assert self.execute(sql, *params) == (len(rows) if fits else None)
        if fits:
            self.rows.update(rows)

    @rule(id=IDS, name=NAMES)
    def rename(self, id: int, name: str | None) -> None:  # noqa: A002 - the column's name
        taken = name is not None and any(other == name and one != id for one, other in self.rows.items())
        done = self.execute("UPDATE t SET name = $2 WHERE id = $1", Variant("int32", id), Variant("str", name))
        if id not in self.rows:
            assert done == 0
        elif taken:
            assert done is None
        else:
            assert done == 1
            self.rows[id] = name

    @rule(id=IDS)
    def delete_to(self, id: int) -> None:  # noqa: A002 - the column's name
        gone = [one for one in self.rows if one <= id]
        found = self.done(self.runner.query("DELETE FROM t WHERE id <= ? RETURNING id", [Variant("int32", id)]))
        assert sorted(row[0].value for row in found.rows) == sorted(gone)
        for one in gone:
            del self.rows[one]

    @rule(value=st.sampled_from([Variant("int32", 5), Variant("double", 0.5), Variant("boolean", True)]))
    def write_what_does_not_fit(self, value: Variant) -> None:
        assert self.execute("UPDATE t SET name = ?", value) is None

    @rule()
    def write_two_statements(self) -> None:
        assert self.execute("DELETE FROM t; DELETE FROM t") is None

    @rule(turns=st.integers(0, 4))
    @precondition(lambda self: self.transaction is None)
    def cancel_an_insert_that_fails_or_not(self, turns: int) -> None:
        async def cut_off() -> None:
            task = asyncio.create_task(self.database.execute("INSERT INTO t (id, name) VALUES (99, 'cut off')"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await self.database.execute("DELETE FROM t WHERE id = 99")

        self.done(cut_off())

    @rule()
    @precondition(lambda self: self.transaction is None)
    def begin(self) -> None:
        self.block = self.database.transaction()
        self.transaction = self.done(self.block.__aenter__())
        self.before = dict(self.rows)

    @rule()
    @precondition(lambda self: self.transaction is not None)
    def commit(self) -> None:
        self.done(self.block.__aexit__(None, None, None))
        self.transaction = None

    @rule()
    @precondition(lambda self: self.transaction is not None)
    def roll_back(self) -> None:
        reason = ValueError("enough")
        assert not self.done(self.block.__aexit__(ValueError, reason, None))
        self.transaction = None
        self.rows = self.before or {}

    @invariant()
    def every_row_is_as_the_model_says(self) -> None:
        found = self.done(self.runner.query("SELECT id, name FROM t"))
        assert {row[0].value: row[1].value for row in found.rows} == self.rows
        if self.in_file and self.transaction is not None:  # others see it as it was
            found = self.done(self.database.query("SELECT id, name FROM t"))
            assert {row[0].value: row[1].value for row in found.rows} == self.before

    def teardown(self) -> None:
        if self.transaction is not None:
            self.commit()
        self.done(self.sqlite.close())
        self._runner.close()
        self._folder.cleanup()
