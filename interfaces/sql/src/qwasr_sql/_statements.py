"""Running one statement on one connection: what it is, what is bound to it, what its result may weigh."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import apsw
import apsw.ext

from qwasr_sql._assignments import assignments, verb
from qwasr_sql._tokens import tokens
from qwasr_sql._types import lifter, stored
from qwasr_sql.errors import DoesNotFit, SqlError, TooLarge
from qwasr_sql.protocol import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwasr.values import Variant
    from qwasr_sql._assignments import Assignments
    from qwasr_sql._session import Session

__all__ = ["NotReadonly", "Statement", "execute", "in_transaction", "query"]

_CELL_BYTES: Final = 48  # what a cell takes of the guest's memory beside its bytes and its column's name
_KNOWN: Final = 128  # statements whose text is kept
_KNOWN_BYTES: Final = 4096  # of a text that is worth keeping


class NotReadonly(Exception):
    """A statement that writes came to a connection that reads; nothing was done."""


class Statement(NamedTuple):
    """What is known of a statement by its text.

    Attributes:
        sql: the statement alone, without what comes behind its semicolon.
        readonly: whether it leaves the database as it is.
        numbers: which parameter is bound to each of its places, from 0.
        wanted: how many parameters it takes.
        counts: whether it inserts, updates or deletes rows itself.
        writes: what it writes as it is.
    """

    sql: str
    readonly: bool
    numbers: tuple[int, ...]
    wanted: int
    counts: bool
    writes: Assignments | None


def query(session: Session, sql: str, params: Sequence[Variant], *, readonly: bool = False) -> Rows:
    """Run a statement and return its rows.

    Args:
        session: the connection.
        sql: the statement.
        params: its parameters.
        readonly: whether it is to be left to another connection if it writes.

    Raises:
        NotReadonly: it would write; nothing was done.
        SqlError: it failed, and nothing of it stays.
    """
    with session.explained():
        statement = _known(session, sql)
        if statement.readonly:
            return _rows(session, statement, params)
        if readonly:
            raise NotReadonly
        with _whole(session):  # a result that cannot be had leaves nothing behind
            return _rows(session, statement, params)


def execute(session: Session, sql: str, params: Sequence[Variant]) -> int:
    """Run a statement to its end and return how many rows it changed.

    Raises:
        SqlError: it failed, and nothing of it stays.
    """
    connection = session.connection
    with session.explained():
        statement = _known(session, sql)
        with _running(session, statement, params) as cursor:
            for _ in cursor:
                pass
        return connection.changes() if statement.counts else 0  # others leave the number of the last one


def in_transaction(session: Session) -> Session:
    """Return a session whose transaction goes on.

    Raises:
        SqlError: it has none any more; what is run now would be committed by itself.
    """
    if not session.connection.in_transaction:  # OR ROLLBACK, a full disk, an interrupted statement
        raise SqlError("a statement that failed rolled the whole transaction back")
    return session


def _rows(session: Session, statement: Statement, params: Sequence[Variant]) -> Rows:
    bounds = session.bounds
    rows: list[list[Variant]] = []
    weight = 0
    with _running(session, statement, params) as cursor:
        first = next(cursor, None)  # the columns are those of the schema that the statement ran on
        columns = cursor.get_description() if first is not None else _description(session, statement)
        lifts = [lifter(declared) for _, declared in columns]
        names_bytes = sum(_CELL_BYTES + len(name) for name, _ in columns)
        row = first
        while row is not None:
            if len(rows) == bounds.rows:
                raise TooLarge(f"the result has more than {bounds.rows} rows (QWASR_SQL_MAX_ROWS); ask for fewer")
            weight += names_bytes + sum(len(cell) for cell in row if isinstance(cell, (str, bytes)))
            if weight > bounds.bytes:
                message = f"the result is larger than {bounds.bytes} bytes (QWASR_SQL_MAX_RESULT_BYTES); ask for less"
                raise TooLarge(message)
            rows.append([lift(cell) for lift, cell in zip(lifts, row, strict=True)])
            row = next(cursor, None)
    return Rows(tuple(name for name, _ in columns), rows)


@contextmanager
def _running(session: Session, statement: Statement, params: Sequence[Variant]) -> Iterator[Any]:
    """Run a statement; its rows are read inside of the block."""
    if statement.wanted != len(params):
        raise DoesNotFit(f"the statement takes {statement.wanted} parameters, {len(params)} were given")
    if statement.writes is not None and statement.writes.items:
        session.check(statement.writes, params)
    bindings = [stored(params[number]) for number in statement.numbers]
    cursor: Any = session.connection.cursor()
    try:
        cursor.execute(statement.sql, bindings)
        yield cursor
    finally:
        cursor.close(force=True)  # a statement that is left open holds on to what the database was when it began


@contextmanager
def _whole(session: Session) -> Iterator[None]:
    """Undo what is done in the block if it raises."""
    inside = session.connection.in_transaction
    session.control("SAVEPOINT statement" if inside else "BEGIN IMMEDIATE")
    try:
        yield
        session.control("RELEASE statement" if inside else "COMMIT")
    except BaseException:
        if session.connection.in_transaction:  # SQLite rolls back by itself for some errors
            session.control("ROLLBACK TO statement" if inside else "ROLLBACK")
        raise


def _known(session: Session, sql: str) -> Statement:
    statement = session.known.get(sql)
    if statement is None:
        statement = _look_at(session, sql)
        if len(sql) <= _KNOWN_BYTES:
            if len(session.known) >= _KNOWN:
                del session.known[next(iter(session.known))]
            session.known[sql] = statement
    return statement


def _look_at(session: Session, sql: str) -> Statement:
    if "\0" in sql:
        raise SqlError("there is a NUL in the text of the statement")
    info: Any = apsw.ext.query_info(session.connection, sql)
    if not info.has_vdbe:
        raise SqlError("there is no statement in the text")
    if info.query_remaining and _has_statement(session.connection, info.query_remaining):
        raise SqlError("one statement a call: there is another one behind it, and neither was run")
    words = tokens(info.first_query)
    numbers = _numbers(info.bindings_names)
    if max((word.number for word in words), default=0) != max(numbers, default=-1) + 1:
        raise DoesNotFit("the parameters of the statement cannot be told apart; number them ?1, ?2 and so on")
    return Statement(
        sql=info.first_query,
        readonly=info.is_readonly,
        numbers=numbers,
        wanted=max(numbers, default=-1) + 1,
        counts=verb(words) in ("INSERT", "REPLACE", "UPDATE", "DELETE"),
        writes=assignments(words),
    )


def _has_statement(connection: apsw.Connection, text: str) -> bool:
    try:
        return bool(apsw.ext.query_info(connection, text).has_vdbe)
    except apsw.Error:
        return True  # it is something, and not even right


def _numbers(names: Sequence[str | None]) -> tuple[int, ...]:
    """Return what is bound to each place: `?` in their order, `?2` and `$2` by their number."""
    return tuple(place if name is None else int(name) - 1 for place, name in enumerate(names))


def _description(session: Session, statement: Statement) -> Sequence[tuple[str, str | None]]:
    """Return the columns of a statement that had no row."""
    info: Any = apsw.ext.query_info(session.connection, statement.sql)
    return info.description  # type: ignore[no-any-return]  # apsw's own type
