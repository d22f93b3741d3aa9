"""The databases that tests of guests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interfaces.sql.tests.guest_text import GUEST
from qwasr.testing.clock import Clock
from qwasr.testing.fakes import Call
from qwasr.testing.guest import Guest
from qwasr.values import Variant, WitError
from qwasr_sql.compliance.model import ModelRules
from qwasr_sql.compliance.statements import StatementRules
from qwasr_sql.compliance.transactions import TransactionRules
from qwasr_sql.compliance.values import ParameterRules, ValueRules
from qwasr_sql.errors import SqlError, TooLarge, Unavailable
from qwasr_sql.fake import FakeSql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwasr_sql.protocol import Sql


class TestTheFakeIsABackend(ValueRules, ParameterRules, StatementRules, TransactionRules, ModelRules):
    """It keeps every rule but those for cancelled calls: it answers at once, on the event loop."""

    @pytest.fixture
    async def backend(self) -> AsyncIterator[FakeSql]:
        fake = FakeSql()
        yield fake
        await fake.close()

    async def test_a_database_that_is_not_there_is_an_error(self, backend: Sql) -> None:
        """Unlike others it has one of every name."""
        assert (await (await backend.open_database("anything")).query("SELECT 1")).rows


async def test_a_test_fills_and_reads_with_plain_values() -> None:
    async with Guest(GUEST) as guest:
        guest.sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, ok BOOLEAN, at DATE)")
        assert guest.sql.execute("INSERT INTO t (name, ok) VALUES (?, ?), (?, ?)", "a", True, None, False) == 2
        params = [Variant("str", "c"), Variant("date", "2026-01-01")]
        await guest.call(None, "exec", "default", "INSERT INTO t (name, at) VALUES (?, ?)", params)
        assert guest.sql.rows("SELECT * FROM t WHERE id <> ?", 2) == [
            {"id": 1, "name": "a", "ok": True, "at": None},
            {"id": 3, "name": "c", "ok": None, "at": "2026-01-01"},
        ]
        assert guest.sql["users"].rows("SELECT name FROM sqlite_schema") == []
        assert list(guest.sql) == ["default", "users"]


async def test_calls_are_recorded_and_fail_when_the_test_says_so() -> None:
    async with Guest(GUEST) as guest:
        guest.sql.fail(Unavailable("the database is unavailable"), on="query")
        with pytest.raises(WitError) as caught:
            await guest.call(None, "query", "", "SELECT 1", [])
        assert caught.value.value.trace() == "the database is unavailable"
        assert len(await guest.call(None, "query", "", "SELECT ?", [Variant("int32", 7)])) == 1
        assert guest.sql.calls[1:] == [
            Call("query", ("default", "SELECT 1", [])),
            Call("open_database", ("",)),
            Call("query", ("default", "SELECT ?", [Variant("int32", 7)])),
        ]


async def test_a_guest_gets_the_same_errors_as_of_a_database() -> None:
    async with Guest(GUEST) as guest:
        guest.sql.execute("CREATE TABLE t (n INTEGER UNIQUE)")
        guest.sql.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(WitError) as caught:
            await guest.call(None, "exec", "", "INSERT INTO t VALUES (1)", [])
        assert caught.value.value.trace().startswith("SQLITE_CONSTRAINT_UNIQUE: ")
        with pytest.raises(SqlError):
            guest.sql.execute("BEGIN")


TIMES = {
    "CURRENT_TIMESTAMP": "2026-01-01 00:01:30",
    "current_date": "2026-01-01",
    "current_time": "00:01:30",
    "datetime()": "2026-01-01 00:01:30",
    "datetime('now')": "2026-01-01 00:01:30",
    "DATE('NOW', '+1 day')": "2026-01-02",
    "time('subsec')": "00:01:30.500",
    "datetime('2024-02-29', '+1 day')": "2024-03-01 00:00:00",
    "strftime('%Y %s')": "2026 1767225690",
    "strftime('%M', 'now')": "01",
    "unixepoch()": 1_767_225_690,
    "julianday('now') > 2461041.5": 1,
    "timediff('now', '2025-12-31')": "+0000-00-01 00:01:30.500",
}


@pytest.mark.parametrize(("expression", "value"), TIMES.items())
def test_it_is_the_time_of_the_tests_clock(expression: str, value: object) -> None:
    clock = Clock()
    fake = FakeSql(clock)
    clock.advance(90.5)
    assert fake.rows(f"SELECT {expression} AS v") == [{"v": value}]


def test_a_default_of_the_schema_goes_by_the_tests_clock_too() -> None:
    fake = FakeSql(Clock())
    fake.execute("CREATE TABLE t (v, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, day DATE DEFAULT (date('now')))")
    fake.execute("INSERT INTO t (v) VALUES (1)")
    assert fake.rows("SELECT at, day FROM t") == [{"at": "2026-01-01 00:00:00", "day": "2026-01-01"}]


def test_chance_follows_from_the_seed() -> None:
    def found(seed: int) -> list[object]:
        fake = FakeSql(Clock(seed=seed))
        rows = fake.rows("SELECT random() AS a, random() AS b, hex(randomblob(8)) AS c, length(randomblob(NULL)) AS d")
        return list(rows[0].values())

    assert found(7) == found(7) != found(8)
    assert found(7)[0] != found(7)[1]
    assert found(7)[3] == 1


def test_a_random_blob_has_its_bound() -> None:
    with pytest.raises(TooLarge):
        FakeSql().rows("SELECT randomblob(1000000000000)")
