"""The databases that tests of guests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interfaces.sql.tests.guest_text import GUEST
from qwasr.testing.fakes import Call
from qwasr.testing.guest import Guest
from qwasr.values import Variant, WitError
from qwasr_sql.compliance.model import ModelRules
from qwasr_sql.compliance.statements import StatementRules
from qwasr_sql.compliance.transactions import TransactionRules
from qwasr_sql.compliance.values import ParameterRules, ValueRules
from qwasr_sql.errors import SqlError, Unavailable
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
