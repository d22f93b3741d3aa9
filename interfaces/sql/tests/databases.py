"""How tests open databases."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase


@asynccontextmanager
async def opened(path: Path | str, **options: Any) -> AsyncIterator[SqliteDatabase]:
    backend = await Sqlite.connect(SqliteOptions(database=str(path), **options))
    try:
        yield await backend.open_database("")
    finally:
        await backend.close()
