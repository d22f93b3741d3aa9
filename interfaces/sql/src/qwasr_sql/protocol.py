"""What a sql backend implements.

A backend is any class that has `name`, `provides`, `schemes`, `Options`, `connect`, `check` and `close` (see
`qwasr.protocols.Backend`) and `open_database`::

    class Postgres:
        async def open_database(self, name: str) -> Database: ...

The class `qwasr_sql.compliance.SqlCompliance` proves a backend; each sentence below is a test there.

Rules for every database:

- A value is a `Variant` with a case of `wasi:sql/types.data-type` and its payload, ``None`` for NULL:
  ``Variant("int32", 5)``, ``Variant("str", None)``. `CASES` lists them with their Python types.
- Parameters are bound, never pasted, to ``?``, ``?1`` or ``$1``. One too many or too few is `DoesNotFit`.
- A value comes out as it went in, in the case that the table of the backend's documentation names for the column's
  declared type, or it is an error (`DoesNotFit`) when it goes in. It never comes out as another value.
- A parameter that a statement writes to a column as it is becomes no other value on the way, whatever the database
  converts by itself; what the database works out follows its own rules.
- One statement a call: a second one after a semicolon is an error, and none of the two is run. What begins, ends or
  nests a transaction is refused (`AccessDenied`): `transaction` does that.
- Each statement outside of a transaction is one of its own: whole or not at all. It is never run twice.
- A call that is cancelled stops the database's work on it, and changes nothing unless it was through already.
- A result has bounds, which the backend's documentation names: at most those of `qwasr_sql.limits`. Above them is
  `TooLarge`, and a statement whose result that would have been has changed nothing.
- A call to a service that does not answer ends within the backend's own time-out, with `Unavailable`. How long a
  database that answers may work on a statement is up to whoever waits: the host cancels a call after its own time-out.
- A statement that fails says so with the database's own code and message, and harms no other one.
- Foreign keys are enforced.
- Columns come in their order, with their names, also when there is no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from qwasr.values import Variant

__all__ = ["CASES", "Database", "Rows", "Runner", "Sql"]

CASES: Final[dict[str, type]] = {
    "int32": int,
    "int64": int,
    "uint32": int,
    "uint64": int,
    "float": float,
    "double": float,
    "str": str,
    "boolean": bool,
    "date": str,
    "time": str,
    "timestamp": str,
    "binary": bytes,
}
"""The cases of `wasi:sql/types.data-type`, each with the Python type of its payload."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query.

    Args:
        columns: the columns' names, in order; two may be equal.
        rows: a value for each column.
    """

    columns: tuple[str, ...]
    rows: list[list[Variant]]


class Runner(Protocol):
    """What runs statements: a database, or a transaction in it."""

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        """Run a statement that answers with rows, ``INSERT … RETURNING`` included.

        Raises:
            SqlError: it failed; one of its subclasses says how, if that is known.
        """
        ...

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        """Run a statement; return how many rows it inserted, updated or deleted itself, 0 for any other kind.

        Raises:
            SqlError: it failed.
        """
        ...


class Database(Runner, Protocol):
    """A database, shared by everyone who opens it."""

    def transaction(self) -> AbstractAsyncContextManager[Runner]:
        """Return a transaction: committed at the end of its block, rolled back when that raises or is cancelled.

        It sees the database as it was at its begin, and its own changes; nobody else sees those before the commit.
        Inside of the block only the transaction is asked, for the database may have no second connection. When its
        block is over, or a statement rolled it back, it takes no more statements.
        """
        ...


class Sql(Protocol):
    """The sql side of a backend."""

    async def open_database(self, name: str) -> Database:
        """Return the database of that name.

        Raises:
            NoSuchDatabase: there is none.
            AccessDenied: the service refuses it.
            Unavailable: the service does not answer.
        """
        ...
