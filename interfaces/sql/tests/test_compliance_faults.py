"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_sql.compliance.faults import FaultRules, SqlFaultCompliance
from qwasr_sql.errors import Unavailable
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qwasr.values import Variant

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Rules(FaultRules):
    fails_in_s = 2.0
    back_in_s = 2.0


class Remote(FakeService):
    """SQLite behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    unavailable = Unavailable

    def __init__(self, right: Any) -> None:
        self.right = right

    async def open_database(self, _name: str) -> Any:
        return self

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Any:
        return await self.answer(self.right, "query", sql, params)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> Any:
        return await self.answer(self.right, "execute", sql, params)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        await self.query("SELECT 1")
        async with self.right.transaction() as transaction:
            yield transaction


class Patient(Remote):
    breaks = ("test_every_call_to_a_service_that_stands_still_fails_in_time",)
    patience_s = 2.5


class SaysNothing(Remote):
    breaks = (
        "test_every_call_to_a_killed_service_fails_in_time",
        "test_every_call_to_a_service_that_stands_still_fails_in_time",
    )
    says = "no"


class NeverBack(Remote):
    breaks = ("test_a_service_that_was_started_again_is_used_again", "test_a_service_that_goes_on_is_used_again")
    comes_back = False


class TriesAgain(Remote):
    """Sends a statement again that may have arrived."""

    breaks = ("test_no_statement_is_run_twice_or_lost_while_the_service_stands_still",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> Any:
        if not self.moving:
            await self.right.execute(sql, params)
            if sql.startswith("INSERT"):
                await self.right.execute(sql, params)
        return await super().execute(sql, params)


class Forgets(Remote):
    breaks = ("test_nothing_that_was_acknowledged_is_lost_when_the_service_is_killed",)

    def __init__(self, right: Any) -> None:
        super().__init__(right)
        self.forgets = False

    def start(self) -> None:
        self.forgets = True
        super().start()

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Any:
        found = await super().query(sql, params)
        if self.forgets and "ORDER BY" in sql:
            del found.rows[:1]
        return found


WRONG = [(cls, rule) for cls in (Patient, SaysNothing, NeverBack, TriesAgain, Forgets) for rule in cls.breaks]


@pytest.fixture
async def right() -> AsyncIterator[Any]:
    sqlite = await Sqlite.connect(SqliteOptions())
    yield await sqlite.open_database("")
    await sqlite.close()


@pytest.mark.parametrize("rule", RULES)
async def test_a_right_backend_keeps_the_rule(right: Any, rule: str) -> None:
    remote = Remote(right)
    await getattr(Rules(), rule)(remote, remote)


@pytest.mark.parametrize(("backend", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(right: Any, backend: type[Remote], rule: str) -> None:
    remote = backend(right)
    with pytest.raises(AssertionError):
        await getattr(Rules(), rule)(remote, remote)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_has_every_rule() -> None:
    assert set(RULES) <= set(dir(SqlFaultCompliance))
