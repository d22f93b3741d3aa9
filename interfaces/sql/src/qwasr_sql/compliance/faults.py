"""Rules for a service that goes away and comes back.

For a backend whose service a test may end and start again::

    class TestFaults(SqlFaultCompliance):
        @pytest.fixture
        def service(self, ...):                  # has kill(), start(), pause(), resume(); they may block
            ...

        @pytest.fixture
        async def backend(self, service):
            backend = await MyBackend.connect(MyOptions(url=service.url))
            yield backend
            await backend.close()

The service keeps what it committed when it is killed; `lasting = False` says that it does not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.testing.services import Faults, Service
from qwasr.values import Variant
from qwasr_sql.compliance._tables import database, table
from qwasr_sql.errors import SqlError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from qwasr_sql.protocol import Database, Sql

__all__ = ["FaultRules", "Service", "SqlFaultCompliance"]

_AT_ONCE = 8


class FaultRules(Faults):
    """What holds while the service is away, and after."""

    unavailable = Unavailable
    lasting = True

    async def test_every_call_to_a_killed_service_fails_in_time(self, backend: Sql, service: Service) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER PRIMARY KEY")
        await asyncio.to_thread(service.kill)
        await self._all_fail(db, name)

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: Sql, service: Service
    ) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER PRIMARY KEY")
        async with self.standing_still(service):
            await self._all_fail(db, name)

    async def test_a_service_that_was_started_again_is_used_again(self, backend: Sql, service: Service) -> None:
        db = await database(backend)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await db.query("SELECT 1")
        await asyncio.to_thread(service.start)
        await self._back(db)

    async def test_a_service_that_goes_on_is_used_again(self, backend: Sql, service: Service) -> None:
        db = await database(backend)
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await db.query("SELECT 1")
        await self._back(db)

    async def test_no_statement_is_run_twice_or_lost_while_the_service_stands_still(
        self, backend: Sql, service: Service
    ) -> None:
        self.need_pauses()
        db = await database(backend)
        name = await table(db, "v INTEGER")
        acknowledged, failed = await self._write(db, name, self.stand_still(service))
        found = await self._found(db, name)
        assert failed, "nobody noticed that the service stood still"
        assert len(set(found)) == len(found), "a statement was run twice"
        assert set(acknowledged) <= set(found), "acknowledged rows are lost"

    async def test_nothing_that_was_acknowledged_is_lost_when_the_service_is_killed(
        self, backend: Sql, service: Service
    ) -> None:
        self.need_lasting()
        db = await database(backend)
        name = await table(db, "v INTEGER")
        acknowledged, _ = await self._write(db, name, self.start_again(service))
        found = await self._found(db, name)
        assert acknowledged
        assert len(set(found)) == len(found), "a statement was run twice"
        assert set(acknowledged) <= set(found), "acknowledged rows are lost"

    async def _all_fail(self, db: Database, name: str) -> None:
        async def transact() -> None:
            async with db.transaction() as transaction:
                await transaction.execute(f"INSERT INTO {name} (v) VALUES (3)")

        calls: dict[str, Awaitable[Any]] = {
            "query": db.query(f"SELECT v FROM {name}"),
            "execute": db.execute(f"INSERT INTO {name} (v) VALUES (1)"),
            "query that writes": db.query(f"INSERT INTO {name} (v) VALUES (2) RETURNING v"),
            "transaction": transact(),
        }
        await self.all_fail(calls)

    async def _back(self, db: Database) -> None:
        await self.back(lambda: db.query("SELECT 1"))

    async def _write(self, db: Database, name: str, harm: Coroutine[Any, Any, None]) -> tuple[list[int], int]:
        """Insert numbers until the harm is done; return the acknowledged ones, and how many statements failed."""

        async def write(worker: int, number: int) -> int:
            value = worker + number * _AT_ONCE
            await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant("int32", value)])
            return value

        return await self.during(harm, write, at_once=_AT_ONCE, error=SqlError)

    async def _found(self, db: Database, name: str) -> list[int]:
        await self._back(db)
        found: list[int] = []
        while True:
            last = found[-1] if found else 0
            page = await db.query(f"SELECT v FROM {name} WHERE v > $1 ORDER BY v LIMIT 1000", [Variant("int32", last)])
            twice = await db.query(f"SELECT v FROM {name} GROUP BY v HAVING count(*) > 1 LIMIT 1")
            found += [row[0].value for row in [*page.rows, *twice.rows]]
            if not page.rows or twice.rows:
                return found


class SqlFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
