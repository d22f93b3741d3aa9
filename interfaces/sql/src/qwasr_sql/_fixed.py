"""SQLite's time and chance, made to follow from a test's clock and seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import apsw

from qwasr_sql.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.testing.clock import Clock
    from qwasr_sql._session import Session

__all__ = ["fix"]

# Name, and how many arguments stand before the first time.
_TIMES: Final = {"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1, "timediff": 0}
_CURRENT: Final = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
_PRECISIONS: Final = ("subsec", "subsecond")  # may stand alone: of the time that it is


def fix(session: Session, clock: Clock, name: str) -> None:
    """Have `datetime('now')`, `CURRENT_TIMESTAMP`, `random()` and their like follow from a clock.

    Args:
        session: the connection.
        clock: the test's.
        name: the database's, so that two databases of a test have other random numbers.
    """
    chance = random.Random(f"{clock.seed} {name}")  # noqa: S311 - a test wants what it had before
    connection, plain = session.connection, session.plain

    def randomblob(size: object) -> bytes:
        length: int = plain.execute("SELECT max(1, CAST(coalesce(?, 1) AS INTEGER))", (size,)).get
        if length > connection.limit(apsw.SQLITE_LIMIT_LENGTH):
            raise TooLarge("string or blob too big", "SQLITE_TOOBIG")
        return chance.randbytes(length)

    def add(function: str, call: Callable[..., Any], arguments: int = -1, *, again: bool = True) -> None:
        connection.create_scalar_function(function, call, arguments, deterministic=again, flags=apsw.SQLITE_INNOCUOUS)

    add("random", lambda: chance.getrandbits(64) - 2**63, 0, again=False)
    add("randomblob", randomblob, 1, again=False)
    for function, before in _TIMES.items():
        add(function, _at(plain, clock, function, before))
    for word, function in _CURRENT.items():
        add(word, _at(plain, clock, function, 0), 0)


def _at(plain: apsw.Connection, clock: Clock, function: str, before: int) -> Callable[..., Any]:
    """Return SQLite's own function, for which it is now the time of the clock."""

    def call(*arguments: Any) -> Any:
        now = clock.now().isoformat(" ", "milliseconds").removesuffix("+00:00")
        if len(arguments) == before or str(arguments[before]).lower() in _PRECISIONS:
            arguments = (*arguments[:before], "now", *arguments[before:])
        values = [now if str(value).lower() == "now" else value for value in arguments]
        return plain.execute(f"SELECT {function}({', '.join('?' * len(values))})", values).get

    return call
