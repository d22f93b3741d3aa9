"""The embedded backend: SQLite, in a file or in memory.

Nothing runs but this process: a thread that writes and threads that read, each with a connection of its own, so that
no disk holds up the event loop.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from qwasr.backends import fold
from qwasr.errors import BackendError, OptionError
from qwasr.options import ConnectOptions, env
from qwasr_sql.errors import NoSuchDatabase, SqlError
from qwasr_sql.limits import MAX_RESULT_BYTES, MAX_ROWS

if TYPE_CHECKING:
    from qwasr_sql._database import SqliteDatabase

__all__ = ["Sqlite", "SqliteOptions"]

MEMORY: Final = ":memory:"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteOptions(ConnectOptions):
    """Where the databases are, and what they survive."""

    database: str = env(
        "SQL_DATABASE",
        default=MEMORY,
        address=True,
        help="the database: a path, sqlite:///relative.db, sqlite:////absolute.db, or :memory:",
    )
    databases: dict[str, str] = env(
        "SQL_DATABASE__<NAME>", default={}, help="the database that guests open by that name, as SQL_DATABASE"
    )
    synchronous: Literal["normal", "full"] = env(
        "QWASR_SQL_SQLITE_SYNCHRONOUS",
        default="normal",
        help="normal: what is committed survives the end of the process; full: the end of the machine too, slower",
    )
    busy_timeout_s: float = env(
        "QWASR_SQL_SQLITE_BUSY_S",
        default=3.0,
        minimum=0.0,
        maximum=3600,
        help="how long a statement waits for another process that writes, seconds",
    )
    readers: int = env(
        "QWASR_SQL_SQLITE_READERS", default=3, minimum=1, maximum=64, help="threads that read each database file"
    )
    max_bytes: int = env(
        "QWASR_SQL_SQLITE_MAX_BYTES",
        default=16 * 1024**3,
        minimum=1024**2,
        maximum=2**44,
        help="size of each database file, bytes; writing above it is an error",
    )
    memory_bytes: int = env(
        "QWASR_SQL_MEMORY_BYTES",
        default=256 * 1024**2,
        minimum=1024**2,
        maximum=2**40,
        help="size of each database in memory, bytes; writing above it is an error",
    )
    work_bytes: int = env(
        "QWASR_SQL_WORK_BYTES",
        default=128 * 1024**2,
        minimum=16 * 1024**2,
        maximum=2**40,
        help="what all statements in a database may take of memory together, what they sort included, bytes",
    )
    max_rows: int = env(
        "QWASR_SQL_MAX_ROWS", default=10_000, minimum=1, maximum=MAX_ROWS, help="how many rows a result may have"
    )
    max_result_bytes: int = env(
        "QWASR_SQL_MAX_RESULT_BYTES",
        default=2 * 1024 * 1024,
        minimum=1024,
        maximum=MAX_RESULT_BYTES,
        help="all values of a result together, bytes",
    )


class Sqlite:
    """SQL databases in SQLite files, or in memory.

    Args:
        databases: the open ones, by folded name; the empty name is the one without.
    """

    name: ClassVar[str] = "sqlite"
    provides: ClassVar[tuple[str, ...]] = ("sql",)
    schemes: ClassVar[tuple[str, ...]] = ("sqlite",)
    Options: ClassVar[type[ConnectOptions]] = SqliteOptions

    def __init__(self, databases: dict[str, SqliteDatabase]) -> None:
        self._databases = databases
        self._claims: dict[str, str] = {}

    @staticmethod
    def per_process(options: SqliteOptions) -> bool:
        """Say whether a database is in memory: each process would have one of its own."""
        return any(path_of(text) is None for text in (options.database, *options.databases.values()))

    @classmethod
    async def connect(cls, options: SqliteOptions) -> Self:
        """Open the databases, or make them.

        Raises:
            BackendError: one cannot be opened.
        """
        from qwasr_sql._database import SqliteDatabase

        found: dict[str, SqliteDatabase] = {}
        try:
            for name, text in {"": options.database, **options.databases}.items():
                found[name] = await asyncio.to_thread(SqliteDatabase, path_of(text), options)
        except BaseException as error:
            for database in found.values():
                await database.close()
            if not isinstance(error, SqlError):
                raise
            variable = f"SQL_DATABASE__{name}" if name else "SQL_DATABASE"
            raise BackendError(f"{variable}: {error}") from None
        return cls(found)

    async def check(self) -> None:
        """Raise `BackendError` when a database cannot be read."""
        for database in self._databases.values():
            try:
                await database.check()
            except SqlError as error:
                raise BackendError(f"a database cannot be read: {error}") from None

    async def close(self) -> None:
        """Finish what was begun, and close the databases."""
        for database in self._databases.values():
            await database.close()

    async def open_database(self, name: str) -> SqliteDatabase:
        """Return the database of that name: ``default`` and the empty name are the one without."""
        if name in ("", "default"):
            return self._databases[""]
        folded = fold(name)
        database = self._databases.get(folded)
        if database is None or self._claims.setdefault(folded, name) != name:
            raise NoSuchDatabase(f"there is no database {name!r} (SQL_DATABASE__{folded})")
        return database


def path_of(text: str) -> str | None:
    """Return the file that a setting names; `None` is memory.

    Raises:
        OptionError: it names none.
    """
    path = text
    if "://" in text:
        parts = urlsplit(text)
        path = unquote(parts.path.removeprefix("/"))
        if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment:
            raise OptionError(
                "SQL_DATABASE: write a path, sqlite:///relative.db or sqlite:////absolute.db, without a host and "
                "parameters; %3F stands for ? and %23 for #"
            )
    if path == MEMORY:
        return None
    if not path or "\0" in path:
        raise OptionError("SQL_DATABASE: there is no path in it")
    return os.path.abspath(path)  # noqa: PTH100 - `file:` at its begin would be a URI to SQLite
