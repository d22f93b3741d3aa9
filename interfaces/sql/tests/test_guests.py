"""Guests in component text use sql through the real engine and runtime."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.sql.tests.guest_text import GUEST
from qwasr.errors import ConfigurationError
from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_sql import plugin
from qwasr_sql.limits import MAX_NAME_BYTES, MAX_PARAMETERS, MAX_SQL_BYTES, MAX_VALUE_BYTES
from qwasr_sql.protocol import CASES, Rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL, at TIMESTAMP)"
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


@pytest.fixture(params=["memory", "file"])
async def runtime(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Runtime]:
    environ = {} if request.param == "memory" else {"SQL_DATABASE": f"sqlite:///{path}"}
    async with Runtime(GUEST, environ=environ, plugins=[plugin]) as runtime:
        yield runtime


async def trace_of(runtime: Runtime, function: str, *arguments: Any) -> str:
    """Call what fails, and return the trace that the guest got."""
    with pytest.raises(WitError) as caught:
        await runtime.call(None, function, *arguments)
    trace: str = caught.value.value.trace()
    return trace


async def test_a_guest_writes_and_reads_rows(runtime: Runtime) -> None:
    assert await runtime.call(None, "exec", "default", TABLE, []) == 0
    params = [Variant("str", "tea"), Variant("double", 1.5), Variant("timestamp", "2026-01-01T00:00:00Z")]
    insert = "INSERT INTO t (name, price, at) VALUES (?, ?, ?)"
    assert await runtime.call(None, "exec", "default", insert, params) == 1
    rows = await runtime.call(None, "query", "", "SELECT * FROM t WHERE name = $1", params[:1])
    assert [row.index for row in rows] == ["0"]
    assert [(field.name, field.value) for field in rows[0].fields] == [
        ("id", Variant("int64", 1)),
        ("name", Variant("str", "tea")),
        ("price", Variant("double", 1.5)),
        ("at", Variant("timestamp", "2026-01-01T00:00:00Z")),
    ]


VALUES = {
    "int32": (0, -(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (2**32 - 1,),
    "uint64": (2**63 - 1,),
    "float": (1.5, -math.inf),
    "double": (0.1, 5e-324),
    "str": ("", "ключ\0🗝", "0012"),
    "boolean": (True, False),
    "date": ("2024-02-29",),
    "time": ("23:59:59.5",),
    "timestamp": ("2024-02-29 23:59:59+01:00",),
    "binary": (b"", bytes(range(256))),
}
DECLARED = {"int32": "INT4", "int64": "INTEGER", "float": "FLOAT4", "str": "TEXT", "binary": "BLOB"}


@pytest.mark.parametrize("case", CASES)
async def test_values_of_each_case_cross_to_the_database_and_back(runtime: Runtime, case: str) -> None:
    await runtime.call(None, "exec", "", f"CREATE TABLE v (v {DECLARED.get(case, case.upper())})", [])
    for value in (*VALUES[case], None):
        given = Variant(case, value)
        rows = await runtime.call(None, "query", "", "INSERT INTO v VALUES (?) RETURNING v", [given])
        assert rows[0].fields[0].value == given


async def test_a_guest_gets_the_databases_code_and_message(runtime: Runtime) -> None:
    await runtime.call(None, "exec", "", TABLE, [])
    await runtime.call(None, "exec", "", "INSERT INTO t (name) VALUES ('tea')", [])
    trace = await trace_of(runtime, "exec", "", "INSERT INTO t (name) VALUES ('tea')", [])
    assert trace == "SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.name"
    assert "syntax error" in await trace_of(runtime, "query", "", "SELEKT 1", [])


async def test_a_guest_gets_an_error_for_a_value_that_would_become_another(runtime: Runtime) -> None:
    await runtime.call(None, "exec", "", TABLE, [])
    for value in (Variant("int32", 5), Variant("uint64", 2**64 - 1)):
        await trace_of(runtime, "exec", "", "INSERT INTO t (name) VALUES (?)", [value])
    assert await runtime.call(None, "query", "", "SELECT * FROM t", []) == []


async def test_a_database_that_is_not_there_is_an_error_with_a_trace(runtime: Runtime) -> None:
    assert await runtime.call(None, "trace", "others") == "there is no database 'others' (SQL_DATABASE__OTHERS)"


async def test_named_databases_are_told_apart(path: Path) -> None:
    environ = {"SQL_DATABASE__USERS": str(path), "SQL_DATABASE__OLD_ORDERS": ":memory:"}
    async with Runtime(GUEST, environ=environ, plugins=[plugin]) as runtime:
        for name in ("", "users", "old-orders"):
            await runtime.call(None, "exec", name, TABLE, [])
        await runtime.call(None, "exec", "users", "INSERT INTO t (name) VALUES ('Ada')", [])
        assert len(await runtime.call(None, "query", "users", "SELECT * FROM t", [])) == 1
        assert await runtime.call(None, "query", "old-orders", "SELECT * FROM t", []) == []
        assert "no database" in await trace_of(runtime, "query", "USERS", "SELECT 1", [])


async def test_one_name_may_have_a_backend_of_its_own(path: Path) -> None:
    environ = {"QWASR_SQL__USERS": f"sqlite:///{path}", "SQL_DATABASE__ORDERS": ":memory:"}
    async with Runtime(GUEST, environ=environ, plugins=[plugin]) as runtime:
        await runtime.call(None, "exec", "users", TABLE, [])
        for name in ("", "orders"):
            assert "no such table" in await trace_of(runtime, "query", name, "SELECT * FROM t", [])
        assert await runtime.call(None, "trace", "others") == "there is no database 'others' (SQL_DATABASE__OTHERS)"
    async with Runtime(GUEST, environ={"SQL_DATABASE": f"sqlite:///{path}"}, plugins=[plugin]) as runtime:
        assert await runtime.call(None, "query", "", "SELECT * FROM t", []) == []


async def test_only_listed_databases_are_opened() -> None:
    async with Runtime(GUEST, environ={"QWASR_SQL_STORES": "default"}, plugins=[plugin]) as runtime:
        await runtime.call(None, "exec", "default", TABLE, [])
        assert await runtime.call(None, "trace", "") == "no such database"


@pytest.mark.parametrize(
    ("database", "sql", "params", "trace"),
    [
        ("n" * (MAX_NAME_BYTES + 1), "SELECT 1", [], "the name of a database is longer than 1024 bytes"),
        ("", "SELECT 1 --" + "-" * MAX_SQL_BYTES, [], "the statement is longer than 262144 bytes"),
        ("", "SELECT 1", [Variant("int32", 1)] * (MAX_PARAMETERS + 1), "16001 parameters, more than 16000"),
        ("", "SELECT ?", [Variant("str", "é" * (MAX_VALUE_BYTES // 2 + 1))], "2097154 bytes together"),
        ("", "SELECT zeroblob(3000000)", [], "larger than 2097152 bytes (QWASR_SQL_MAX_RESULT_BYTES)"),
        ("", f"{ENDLESS[: -len('count(*) FROM r')]}n FROM r LIMIT 20000", [], "10000 rows (QWASR_SQL_MAX_ROWS)"),
    ],
    ids=["name", "statement", "parameters", "values", "result", "rows"],
)
async def test_what_is_too_large_is_an_error(
    runtime: Runtime, database: str, sql: str, params: Sequence[Variant], trace: str
) -> None:
    assert trace in await trace_of(runtime, "query", database, sql, params)


async def test_a_result_as_large_as_it_may_be_reaches_the_guest(runtime: Runtime) -> None:
    rows = await runtime.call(None, "query", "", "SELECT zeroblob(2000000)", [])
    assert len(rows[0].fields[0].value.value) == 2_000_000
    numbers = ENDLESS.replace("count(*)", "n") + " LIMIT 10000"
    assert len(await runtime.call(None, "query", "", numbers, [])) == 10_000


async def test_100_guests_at_once_lose_no_update(runtime: Runtime) -> None:
    await runtime.call(None, "exec", "", "CREATE TABLE c AS SELECT 0 AS n", [])
    update = "UPDATE c SET n = n + 1"
    await asyncio.gather(*(runtime.call(None, "exec", "", update, []) for _ in range(100)))
    rows = await runtime.call(None, "query", "", "SELECT n FROM c", [])
    assert rows[0].fields[0].value == Variant("int64", 100)


async def test_a_guest_that_is_ended_stops_its_query_and_others_go_on(runtime: Runtime) -> None:
    endless = [asyncio.create_task(runtime.call(None, "query", "", ENDLESS, [])) for _ in range(5)]
    await asyncio.sleep(0.1)
    for task in endless:
        task.cancel()
    await asyncio.gather(*endless, return_exceptions=True)
    rows = await asyncio.wait_for(runtime.call(None, "query", "", "SELECT 7 AS n", []), 5)
    assert rows[0].fields[0].value == Variant("int64", 7)


async def test_a_query_that_takes_too_long_is_an_error_and_the_database_goes_on() -> None:
    async with Runtime(GUEST, environ={"QWASR_BACKEND_TIMEOUT_S": "0.1"}, plugins=[plugin]) as runtime:
        trace = await trace_of(runtime, "query", "", ENDLESS, [])
        assert trace == "no answer within 0.1 s: the sql service is unavailable"
        assert len(await runtime.call(None, "query", "", "SELECT 7", [])) == 1
        counter = runtime.telemetry.host("sql")
        assert counter.errors == 1


async def test_an_unexpected_exception_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def open_database(self, _name: str) -> Any:
            return self

        async def query(self, _sql: str, _params: Sequence[Variant]) -> Rows:
            msg = "secret detail"
            raise RuntimeError(msg)

    async with Runtime(GUEST, backends={"sql": Broken()}, environ={}, plugins=[plugin]) as runtime:
        trace = await trace_of(runtime, "query", "", "SELECT 1", [])
    assert trace.startswith("internal error ")
    assert "secret" not in trace
    assert "secret detail" in caplog.text


async def test_a_guest_runs_a_thousand_statements_without_keeping_them(runtime: Runtime) -> None:
    await runtime.call(None, "exec", "", TABLE, [])
    insert = "INSERT INTO t (name) VALUES (hex(randomblob(8)))"
    assert await runtime.call(None, "series", insert, False, 1000) == 0
    assert await runtime.call(None, "series", "SELECT * FROM t WHERE id = 7", True, 1000) == 0


@pytest.mark.parametrize("variable", ["SQL_DATABASE", "SQL_DATABASE__USERS"])
async def test_a_database_that_cannot_be_opened_is_an_error_that_names_its_variable(
    tmp_path: Path, variable: str
) -> None:
    environ = {variable: str(tmp_path / "absent" / "a.db")}
    with pytest.raises(Exception, match=rf"{variable}.*No such file or directory"):
        async with Runtime(GUEST, environ=environ, plugins=[plugin]):
            pass


async def test_a_database_in_memory_is_refused_where_several_workers_serve() -> None:
    from qwasr.backends import choose
    from qwasr.connections import refuse_divided
    from qwasr.registry import Registry

    def check(**environ: str) -> None:
        registry = Registry([plugin], environ=environ, entry_points=())
        refuse_divided(choose(registry.interfaces["sql"], registry, environ), 2)

    check(SQL_DATABASE="a.db")
    for environ in ({}, {"SQL_DATABASE": "a.db", "SQL_DATABASE__USERS": ":memory:"}):
        with pytest.raises(ConfigurationError, match="sqlite keeps its data in one process"):
            check(**environ)
