"""What a sql backend raises, and what the guest sees of it.

::

    SqlError                the database refused a statement: `code` and message are its own
    ├── NoSuchDatabase      there is no database of that name
    ├── AccessDenied        the database refuses this user, or the host this statement
    ├── Unavailable         the database does not answer; what was asked did not happen, or nobody knows whether it did
    ├── DoesNotFit          a value that the database cannot hold, or a parameter too many or too few
    └── TooLarge            a statement, a value or a result is larger than its bound

The guest gets a `wasi:sql/types.error` whose trace is `str(error)`: the code, if there is one, and the message. So it
names no credential and no address.
"""

from __future__ import annotations

from qwasr.errors import QwasrError

__all__ = ["AccessDenied", "DoesNotFit", "NoSuchDatabase", "SqlError", "TooLarge", "Unavailable"]


class SqlError(QwasrError):
    """A statement failed in a way that the guest is told about.

    Args:
        message: the database's own message, or ours.
        code: the database's own code: ``SQLITE_CONSTRAINT_UNIQUE``, ``23505``; empty when it has none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code


class NoSuchDatabase(SqlError):
    """There is no database of that name."""


class AccessDenied(SqlError):
    """The database refuses this user, or the host refuses this statement."""


class Unavailable(SqlError):
    """The database does not answer now."""


class DoesNotFit(SqlError):
    """The database has no place for this value, or the statement none for this parameter; nothing was done."""


class TooLarge(SqlError):
    """A statement, a value or a result is larger than its bound."""
