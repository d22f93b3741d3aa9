"""wasi:sql@0.2.0-draft: types and readwrite.

The signatures are those of the WASI proposal; semantics are told in `qwasr_sql.protocol`, bounds in `qwasr_sql.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface, HostResource
from qwasr_sql._answers import Error, host_function
from qwasr_sql.errors import NoSuchDatabase, TooLarge
from qwasr_sql.limits import MAX_NAME_BYTES, check_rows, check_statement

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr.values import Variant
    from qwasr_sql.protocol import Database, Sql

__all__ = ["Connection", "Readwrite", "Statement", "Types"]


@dataclass(frozen=True, slots=True)
class Field:
    """A value with its column's name."""

    name: str
    value: Variant


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a result; `index` is its number, from 0, as text."""

    index: str
    fields: list[Field]


class Statement(HostResource):
    """wasi:sql/types.statement: a text and its parameters; the database sees it when it is run."""

    __slots__ = ("params", "sql")

    def __init__(self, sql: str, params: list[Variant]) -> None:
        self.sql = sql
        self.params = params

    @staticmethod
    @host_function
    async def prepare(query: str, params: list[Variant]) -> Statement:
        """Return a statement; an error when it is too large."""
        check_statement(query, params)
        return Statement(query, params)


class Connection(HostResource):
    """wasi:sql/types.connection: a database that the guest has opened."""

    __slots__ = ("database",)

    def __init__(self, database: Database) -> None:
        self.database = database


class Types(HostInterface, wit="wasi:sql/types", resources=(Connection, Statement, Error)):
    """wasi:sql/types: connections, statements, errors."""

    def __init__(self, backends: Backends[Sql]) -> None:
        self.backends = backends

    @host_function
    async def connection_open(self, name: str) -> Connection:
        """Open a database; ``default`` and the empty name are the one that has no name of its own."""
        if len(name.encode()) > MAX_NAME_BYTES:
            raise TooLarge(f"the name of a database is longer than {MAX_NAME_BYTES} bytes")
        backend = self.backends.named(name)
        try:
            return Connection(await backend.open_database(name))
        except NoSuchDatabase:
            if backend is self.backends.default:
                raise
            return Connection(await backend.open_database("default"))  # of a backend that serves this one name


class Readwrite(HostInterface, wit="wasi:sql/readwrite"):
    """wasi:sql/readwrite: run statements."""

    def __init__(self, backends: Backends[Sql]) -> None:
        """Need none: connections know their database."""

    @host_function
    async def query(self, c: Connection, q: Statement) -> list[Row]:
        """Return the rows."""
        result = await c.database.query(q.sql, q.params)
        check_rows(result)
        columns = result.columns
        return [
            Row(str(index), [Field(name, value) for name, value in zip(columns, row, strict=True)])
            for index, row in enumerate(result.rows)
        ]

    @host_function
    async def exec(self, c: Connection, q: Statement) -> int:
        """Return how many rows were inserted, updated or deleted."""
        return await c.database.execute(q.sql, q.params)
