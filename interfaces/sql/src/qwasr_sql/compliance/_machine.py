"""A model of a table: a dictionary of what every row has to be, and statements in any order against it.

The only part of the kit that needs hypothesis; `model` runs it.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from qwasr.values import Variant
from qwasr_sql.compliance._tables import database, table
from qwasr_sql.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_sql.protocol import Runner, Sql

__all__ = ["run_machine"]

T = TypeVar("T")

_CALL_S: Final = 30
IDS: Final = st.integers(0, 5)
NAMES: Final = st.one_of(st.none(), st.sampled_from(["", "a", "b", "12", "🗝"]))
Rows = dict[int, str | None]


def run_machine(
    backend: Sql, loop: asyncio.AbstractEventLoop, *, examples: int, steps: int, shrink: bool, reads_beside: bool
) -> None:
    """Try orders of statements on a backend until one goes wrong; in another thread than that of its event loop.

    Args:
        backend: the backend.
        loop: its event loop.
        examples: how many orders.
        steps: how many statements each of them has at most.
        shrink: whether the shortest order that goes wrong is looked for, which may take a minute.
        reads_beside: whether the database is read beside an open transaction, too.
    """

    class Machine(_Machine):
        beside = reads_beside

        def connected(self) -> Sql:
            return backend

        def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, _CALL_S), loop).result()

    phases = [phase for phase in Phase if shrink or phase not in (Phase.shrink, Phase.explain)]
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


class _Machine(RuleBasedStateMachine):
    """Statements and transactions in any order; names are unique, so that some fail."""

    beside: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.database = self.done(database(self.connected()))
        self.table = self.done(table(self.database, "id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE"))
        self.rows: Rows = {}
        self.before: Rows | None = None  # of an open transaction
        self.block: Any = None
        self.transaction: Runner | None = None

    @abstractmethod
    def connected(self) -> Sql:
        """Return the backend."""

    @abstractmethod
    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the backend's event loop."""

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
        done = self.execute(
            f"INSERT INTO {self.table} (id, name) VALUES ($1, $2)", Variant("int32", id), Variant("str", name)
        )
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
        marks = ", ".join(f"(${2 * number + 1}, ${2 * number + 2})" for number in range(len(rows)))
        sql = f"INSERT INTO {self.table} (id, name) VALUES {marks}"
        assert self.execute(sql, *params) == (len(rows) if fits else None)
        if fits:
            self.rows.update(rows)

    @rule(id=IDS, name=NAMES)
    def rename(self, id: int, name: str | None) -> None:  # noqa: A002 - the column's name
        taken = name is not None and any(other == name and one != id for one, other in self.rows.items())
        done = self.execute(
            f"UPDATE {self.table} SET name = $2 WHERE id = $1", Variant("int32", id), Variant("str", name)
        )
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
        found = self.done(
            self.runner.query(f"DELETE FROM {self.table} WHERE id <= $1 RETURNING id", [Variant("int32", id)])
        )
        assert sorted(row[0].value for row in found.rows) == sorted(gone)
        for one in gone:
            del self.rows[one]

    @rule(value=st.sampled_from([Variant("int32", 5), Variant("double", 0.5), Variant("boolean", True)]))
    def write_what_does_not_fit(self, value: Variant) -> None:
        assert self.execute(f"UPDATE {self.table} SET name = $1", value) is None

    @rule()
    def write_two_statements(self) -> None:
        assert self.execute(f"DELETE FROM {self.table}; DELETE FROM {self.table}") is None

    @rule(turns=st.integers(0, 4))
    @precondition(lambda self: self.transaction is None)
    def cancel_an_insert_that_fails_or_not(self, turns: int) -> None:
        async def cut_off() -> None:
            task = asyncio.create_task(self.database.execute(f"INSERT INTO {self.table} (id, name) VALUES (99, 'cut')"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await self.database.execute(f"DELETE FROM {self.table} WHERE id = 99")

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
        found = self.done(self.runner.query(f"SELECT id, name FROM {self.table}"))
        assert {row[0].value: row[1].value for row in found.rows} == self.rows
        if self.beside and self.transaction is not None:  # others see it as it was
            found = self.done(self.database.query(f"SELECT id, name FROM {self.table}"))
            assert {row[0].value: row[1].value for row in found.rows} == self.before

    def teardown(self) -> None:
        if self.transaction is not None:
            self.commit()
        self.done(self.database.execute(f"DROP TABLE {self.table}"))
