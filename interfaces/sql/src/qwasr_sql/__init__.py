"""wasi:sql for qwasr: what guests import, what backends implement, and SQLite, which needs no service.

- `protocol`: `Sql` and `Database`, which a backend implements; `errors`: what it raises.
- `compliance`: the test class that proves a backend.
- `host`: the WIT functions; `limits`: their bounds.
- `sqlite`: the embedded backend; `fake`: databases for tests of guests.
"""

from __future__ import annotations

from qwasr_sql.errors import AccessDenied, DoesNotFit, NoSuchDatabase, SqlError, TooLarge, Unavailable
from qwasr_sql.protocol import CASES, Database, Rows, Runner, Sql
from qwasr_sql.sqlite import Sqlite, SqliteOptions

__all__ = [
    "CASES",
    "AccessDenied",
    "Database",
    "DoesNotFit",
    "NoSuchDatabase",
    "Rows",
    "Runner",
    "Sql",
    "SqlError",
    "Sqlite",
    "SqliteOptions",
    "TooLarge",
    "Unavailable",
]
