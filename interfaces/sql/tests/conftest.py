"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture(params=["memory", "file"])
async def backend(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Sqlite]:
    """Databases in memory, and in a file."""
    database = ":memory:" if request.param == "memory" else str(path)
    backend = await Sqlite.connect(SqliteOptions(database=database))
    yield backend
    await backend.close()


@pytest.fixture
async def db(backend: Sqlite) -> SqliteDatabase:
    """The database without a name, of each of them."""
    return await backend.open_database("")
