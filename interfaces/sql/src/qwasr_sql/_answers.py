"""How this interface's host functions answer: its exceptions as the guest sees them; see `qwasr.answers`."""

from __future__ import annotations

import logging
from typing import Final

from qwasr.answers import Answers
from qwasr.errors import StoreNotAllowed
from qwasr.hosting import HostResource
from qwasr_sql.errors import SqlError, Unavailable

__all__ = ["Error", "host_function"]

_log = logging.getLogger("qwasr.sql")


class Error(HostResource):
    """wasi:sql/types.error: what the database said."""

    __slots__ = ("_trace",)

    def __init__(self, trace: str) -> None:
        self._trace = trace

    def trace(self) -> str:
        """Return the database's own code and message."""
        return self._trace


def _of(error: SqlError) -> Error:
    return Error(str(error))


def _not_allowed(error: StoreNotAllowed) -> Error:
    _log.info("no such database: %s", error)
    return Error("no such database")


_ANSWERS: Final = Answers(
    name="sql", errors={SqlError: _of, StoreNotAllowed: _not_allowed}, unavailable=Unavailable, internal=Error
)
host_function = _ANSWERS.host_function
