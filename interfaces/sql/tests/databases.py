"""How tests open databases."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase
    from qwasr_sql._threads import Worker


@asynccontextmanager
async def opened(path: Path | str, **options: Any) -> AsyncIterator[SqliteDatabase]:
    backend = await Sqlite.connect(SqliteOptions(database=str(path), **options))
    try:
        yield await backend.open_database("")
    finally:
        await backend.close()


async def begun(worker: Worker) -> None:
    """Return when a thread works on something."""
    async with asyncio.timeout(30):
        while not worker._running:  # noqa: ASYNC110 - a thread tells nobody when it begins
            await asyncio.sleep(0.01)
