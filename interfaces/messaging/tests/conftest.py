"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_messaging import Memory, Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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
