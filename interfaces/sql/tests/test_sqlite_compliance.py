"""SQLite, in memory and in a file, keeps every rule for backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_sql.compliance import SqlCompliance
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestInMemory(SqlCompliance):
    @pytest.fixture
    async def backend(self) -> AsyncIterator[Sqlite]:
        backend = await Sqlite.connect(SqliteOptions())
        yield backend
        await backend.close()


class TestInAFile(SqlCompliance):
    reads_beside = True

    @pytest.fixture
    async def backend(self, path: Path) -> AsyncIterator[Sqlite]:
        backend = await Sqlite.connect(SqliteOptions(database=str(path)))
        yield backend
        await backend.close()
