"""Which parameter a statement writes to which column as it is."""

from __future__ import annotations

import apsw
import apsw.ext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr_sql._assignments import assignments, verb
from qwasr_sql._tokens import tokens
from qwasr_sql.errors import DoesNotFit


def written(sql: str) -> list[tuple[int, str | int | None]]:
    """Return each parameter with the column that it is written to."""
    found = assignments(tokens(sql))
    return [] if found is None else [(one.number, one.column) for one in found.items]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("INSERT INTO t (a, b) VALUES (?, ?)", [(1, "a"), (2, "b")]),
        ("INSERT INTO t VALUES (?, 1, ?)", [(1, 0), (2, 2)]),
        ("insert or ignore into main.t as x (a) values (?), (?2), ((?))", [(1, "a"), (2, "a"), (3, "a")]),
        ('REPLACE INTO "t ""x" ([a], `b`, "c") VALUES ($2, $1, $2)', [(2, "a"), (1, "b"), (2, "c")]),
        ("INSERT INTO t (a, b) VALUES (? + 1, max(?, ?))", []),
        ("INSERT INTO t (a) VALUES (-?)", []),
        ("INSERT INTO t (a) VALUES ('?')", []),
        ("INSERT INTO t (a) VALUES (?) -- , ?", [(1, "a")]),
        ("INSERT INTO t (a) /* ? */ VALUES (?)", [(1, "a")]),
        ("INSERT INTO t (a, b) SELECT ?, x FROM u WHERE y = ?", [(1, "a")]),
        ("INSERT INTO t (a, b) SELECT DISTINCT ? AS x, ? y", [(1, "a"), (2, "b")]),
        ("INSERT INTO t SELECT *, ? FROM u", [(1, None)]),
        ("INSERT INTO t SELECT ?, u.*, NULL, ? FROM u", [(1, 0), (2, None)]),
        ("INSERT INTO t (a) SELECT 1 UNION ALL SELECT ? EXCEPT VALUES (?)", [(1, "a"), (2, "a")]),
        ("INSERT INTO t (a) SELECT (SELECT ?) FROM u", [(1, None)]),
        ("INSERT INTO t DEFAULT VALUES", []),
        ("INSERT INTO t (a) VALUES (?) RETURNING a, ?", [(1, "a")]),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", []),
        (
            "INSERT INTO t (a) VALUES (?) ON CONFLICT (a) WHERE b = ? DO UPDATE SET b = ?, c = excluded.c WHERE d = ?",
            [(1, "a"), (3, "b")],
        ),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING ON CONFLICT DO UPDATE SET b = ?", [(1, "b")]),
        ("UPDATE t SET a = ?, b = b + ?, c = ? WHERE d = ?", [(1, "a"), (3, "c")]),
        ("UPDATE OR REPLACE t AS x SET a = ? FROM u WHERE x.id = u.id AND u.a = ?", [(1, "a")]),
        ("UPDATE t INDEXED BY i SET (a, b) = (?, 2), (c) = (?)", [(1, "a"), (2, "c")]),
        ("UPDATE t SET (a, b) = (SELECT ?, ?)", [(1, None), (2, None)]),
        ("UPDATE t SET a = b IS DISTINCT FROM c, d = ?", [(1, "d")]),
        ("UPDATE t SET a = CASE WHEN b = ? THEN ? END, d = ?", [(3, "d")]),
        ("UPDATE t SET a = ? ORDER BY b LIMIT ?", [(1, "a")]),
        ("WITH x (y) AS (SELECT ? UNION SELECT ?) INSERT INTO t (a) SELECT ? FROM x", [(3, "a"), (1, None), (2, None)]),
        ("WITH RECURSIVE x AS (VALUES (?)) UPDATE t SET a = ?", [(2, "a"), (1, None)]),
        ("INSERT INTO t (a) WITH x AS (SELECT ?) SELECT ? FROM x", [(2, "a"), (1, None)]),
        ("WITH replace(v) AS NOT MATERIALIZED (SELECT 1), y AS (SELECT 2) INSERT INTO t (a) VALUES (?)", [(1, "a")]),
        ("INSERT INTO t (a, b) VALUES (? COLLATE NOCASE, +(+?))", [(1, "a"), (2, "b")]),
        ("INSERT INTO t (a, b) SELECT ? COLLATE NOCASE x, (?) AS y", [(1, "a"), (2, "b")]),
        ("INSERT INTO t SELECT * FROM (VALUES (?, ? + 1), (3, ?))", [(1, None), (3, None)]),
        ("INSERT INTO t SELECT * FROM (SELECT ? AS a)", [(1, None)]),
        ("INSERT INTO t (a) VALUES ((SELECT ?))", [(1, None)]),
        ("UPDATE t SET a = (SELECT DISTINCT ? FROM u WHERE b = ?)", [(1, None)]),
        ("INSERT INTO t (a) SELECT ? ISNULL", []),
        ("UPDATE t SET a = 1 WHERE (b, c) IN (VALUES (?, ?)) OR d IN (SELECT ?) OR EXISTS (SELECT ?)", []),
        ("DELETE FROM t WHERE a = ?", []),
        ("SELECT ?", []),
        ("EXPLAIN INSERT INTO t (a) VALUES (?)", []),
        ("CREATE TABLE t (a)", []),
        ("INSERT INTO", []),
        ("UPDATE t", []),
        ("INSERT INTO t (a", []),
        ("INSERT INTO t (a) VALUES (?", [(1, "a")]),
        ("", []),
    ],
)
def test_what_is_written_as_it_is(sql: str, found: list[tuple[int, str | int | None]]) -> None:
    assert written(sql) == found


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("select 1", "SELECT"),
        ("WITH x AS (SELECT 1) DELETE FROM t", "DELETE"),
        ("-- a\n/* b */ update t set a = 1", "UPDATE"),
        ("WITH replace (v) AS (SELECT 1), 'x' AS (SELECT 2) SELECT 3", "SELECT"),
        ("'text'", ""),
        ("", ""),
    ],
)
def test_a_statement_is_what_its_verb_says(sql: str, word: str) -> None:
    assert verb(tokens(sql)) == word


@pytest.mark.parametrize("sql", ["SELECT :a", "SELECT @a", "SELECT $a", "SELECT ?1, $1", "SELECT $0", "SELECT :1"])
def test_a_parameter_that_is_not_told_by_its_number_is_an_error(sql: str) -> None:
    with pytest.raises(DoesNotFit):
        tokens(sql)


PIECES = [
    "\ufeff",
    "🗝",
    "é1$",
    "?",
    "?1",
    "?3",
    "$1",
    "$2",
    "'",
    '"',
    "`",
    "[",
    "]",
    "--",
    "\n",
    "/*",
    "*/",
    "a",
    "1",
    "x'00'",
    ",",
    "'?'",
    "(",
    ")",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_parameters_are_those_that_sqlite_sees(text: str) -> None:
    sql = f"SELECT {text}"
    connection = apsw.Connection(":memory:")
    try:
        info = apsw.ext.query_info(connection, sql)
    except apsw.Error:
        return  # it is no statement
    finally:
        connection.close()
    try:
        found = {token.number for token in tokens(sql) if token.kind == "param"}
    except DoesNotFit:
        return
    names = info.bindings_names
    if any(token.text.startswith("$") for token in tokens(sql)):
        assert found == {int(name or 0) for name in names}
    else:
        assert max(found, default=0) == len(names)


@given(st.text(st.sampled_from("INSERTUPDATESETVALUES()?,$1'\"`[]-*/. =\n"), max_size=60))
def test_any_text_is_read(text: str) -> None:
    try:
        words = tokens(text)
    except DoesNotFit:
        return
    assignments(words)
    verb(words)
