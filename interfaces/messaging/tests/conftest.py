"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_messaging import Memory, Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Clock:
    """Time that stands still unless a test moves it."""

    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def memory() -> AsyncIterator[Memory]:
    broker = Memory()
    yield broker
    await broker.close()


@pytest.fixture(params=["memory", "sqlite"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory | Sqlite]:
    """Give each embedded broker."""
    made: Memory | Sqlite = Memory()
    if request.param == "sqlite":
        made = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{tmp_path}/broker.db"))
    yield made
    await made.close()


@pytest.fixture(params=["memory", "sqlite"])
async def still_broker(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Memory | Sqlite]:
    """Give each embedded broker, on a clock that stands still."""
    made: Memory | Sqlite = Memory(clock=clock)
    if request.param == "sqlite":
        made = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{tmp_path}/broker.db"), clock=clock)
    yield made
    await made.close()
