"""The compliance class catches what it is there for: for each rule a backend that breaks it, and nothing needs more."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.sql.tests import wrong_statements, wrong_transactions, wrong_values
from interfaces.sql.tests.wrong import Backend, WrongDatabase
from qwasr_sql.compliance import SqlCompliance, cancelled
from qwasr_sql.errors import SqlError
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RULES = sorted(name for name in dir(SqlCompliance) if name.startswith("test_"))
WRONG_DATABASES = [
    member
    for module in (wrong_values, wrong_statements, wrong_transactions)
    for member in vars(module).values()
    if isinstance(member, type) and issubclass(member, WrongDatabase) and hasattr(member, "breaks")
]
WRONG = [(database, rule) for database in WRONG_DATABASES for rule in database.breaks]
BACKENDS = {
    "test_a_database_is_shared_by_all_who_open_it": "private",
    "test_a_database_that_is_not_there_is_an_error": "anything",
}


class Kit(SqlCompliance):
    """It says that a backend is wrong, and not at length where."""

    model_shrinks = False


@pytest.fixture
async def right() -> AsyncIterator[Sqlite]:
    sqlite = await Sqlite.connect(SqliteOptions())
    yield sqlite
    await sqlite.close()


def arguments(rule: str) -> list[tuple[Any, ...]]:
    """Return what a rule is run with besides the backend: each of its parameters' values."""
    marks = getattr(getattr(SqlCompliance, rule), "pytestmark", [])
    found = [[(value,) for value in mark.args[1]] for mark in marks if mark.name == "parametrize"]
    return found[0] if found else [()]


async def follow(rule: str, backend: Any) -> None:
    """Run a rule against a backend, as pytest would; `rule[value]` is run with that value."""
    name, bracket, value = rule.partition("[")
    method = getattr(Kit(), name)
    for values in arguments(name):
        if not bracket or str(values[0]) == value.removesuffix("]"):
            await method(backend, *values)


@pytest.mark.parametrize(("database", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(
    right: Sqlite, database: type[WrongDatabase], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelled, "_SOON_S", 0.2)
    backend = Backend(right, database)
    with pytest.raises((AssertionError, pytest.fail.Exception, SqlError, TimeoutError)):
        await follow(rule, backend)
    tasks = getattr(await backend.open_database("default"), "tasks", ())
    for task in [*tasks]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_backend_with_a_database_for_everyone_is_caught(right: Sqlite) -> None:
    others: list[Sqlite] = []

    class Private:
        async def open_database(self, _name: str) -> Any:
            others.append(await Sqlite.connect(SqliteOptions()))
            return await others[-1].open_database("")

    try:
        with pytest.raises(Exception, match="no such table"):
            await follow("test_a_database_is_shared_by_all_who_open_it", Private())
    finally:
        for other in others:
            await other.close()


async def test_a_backend_that_opens_anything_is_caught(right: Sqlite) -> None:
    class Anything:
        async def open_database(self, _name: str) -> Any:
            return await right.open_database("")

    with pytest.raises(pytest.fail.Exception):
        await follow("test_a_database_that_is_not_there_is_an_error", Anything())


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_backends_are_right_but_for_one_thing(right: Sqlite, rule: str) -> None:
    await follow(rule, Backend(right, WrongDatabase))


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule.partition("[")[0] for _, rule in WRONG} | set(BACKENDS)) == RULES


def test_every_wrong_value_is_one_that_the_rule_has() -> None:
    for _, rule in WRONG:
        name, bracket, value = rule.partition("[")
        assert not bracket or value.removesuffix("]") in [str(values[0]) for values in arguments(name)], rule


def test_rules_take_a_backend_and_at_most_one_value() -> None:
    for rule in RULES:
        assert len(inspect.signature(getattr(SqlCompliance(), rule)).parameters) <= 2


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_sql.compliance import SqlCompliance\nclass TestMine(SqlCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
