"""What goes into SQLite comes out, or is an error: every case, every declared type, any value."""

from __future__ import annotations

import asyncio
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwasr.values import Variant
from qwasr_sql._affinity import affinity, stays
from qwasr_sql._types import lifter, stored
from qwasr_sql.compliance._tables import is_same
from qwasr_sql.errors import DoesNotFit, SqlError
from qwasr_sql.protocol import CASES
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

DATES = st.dates().map(str)
TIMES = st.times().map(str)
NUMERIC_TEXTS = st.from_regex(
    r"[ \t]*[+-]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,2})?[ ]*(\x00[0-9])?", fullmatch=True
)
PAYLOADS: dict[str, st.SearchStrategy[Any]] = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float": st.one_of(st.floats(width=32), st.integers(-2, 2**20).map(float)),
    "double": st.one_of(st.floats(), st.integers(-2, 2**60).map(float)),
    "str": st.one_of(st.text(max_size=20), NUMERIC_TEXTS, DATES, TIMES, st.sampled_from(["12", "0x1F", "inf", "NaN"])),
    "boolean": st.booleans(),
    "date": st.one_of(DATES, st.text(max_size=12)),
    "time": st.one_of(TIMES, st.text(max_size=12)),
    "timestamp": st.one_of(st.datetimes().map(str), st.datetimes().map(lambda t: t.isoformat()), DATES, TIMES),
    "binary": st.binary(max_size=20),
}
VALUES = st.sampled_from(sorted(CASES)).flatmap(
    lambda case: st.one_of(st.none(), PAYLOADS[case]).map(lambda value: Variant(case, value))
)
TYPES = [
    "",
    "INTEGER",
    "INT",
    "TINYINT",
    "BIGINT",
    "UINT32",
    "UNSIGNED BIG INT",
    "REAL",
    "DOUBLE PRECISION",
    "FLOAT",
    "FLOAT4",
    "NUMERIC",
    "DECIMAL(10, 2)",
    "TEXT",
    "VARCHAR(5)",
    "STRING",
    "CLOB",
    "BOOLEAN",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "DATETIME",
    "BLOB",
    "BYTEA",
    "JSON",
    "UUID",
    "FLOATING POINT",
    "ANY",
]


class Database:
    """A database in memory, without an event loop around each of its calls."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._sqlite = self._runner.run(Sqlite.connect(SqliteOptions()))
        self._database = self._runner.run(self._sqlite.open_database(""))
        columns = ", ".join(f"c{number} {declared}" for number, declared in enumerate(TYPES))
        self.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})")
        strict = ", ".join(f"c{n} {declared}" for n, declared in enumerate(["INTEGER", "REAL", "TEXT", "BLOB", "ANY"]))
        self.execute(f"CREATE TABLE s (id INTEGER PRIMARY KEY, {strict}) STRICT")

    def execute(self, sql: str, *params: Variant) -> int:
        return self._runner.run(self._database.execute(sql, params))

    def query(self, sql: str, *params: Variant) -> list[list[Variant]]:
        return self._runner.run(self._database.query(sql, params)).rows

    def close(self) -> None:
        self._runner.run(self._sqlite.close())
        self._runner.close()


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.close()


# Each writes the parameter to the column as it is.
WAYS = [
    "\ufeffINSERT OR REPLACE INTO 'T' ('{C}', ID) VALUES (?, 1)",
    "REPLACE INTO t (id, {c}) VALUES (1, ?)",
    "INSERT OR REPLACE INTO main.t AS x ({c}, id) VALUES ((?1), 1)",
    "UPDATE t SET {c} = ? WHERE id = 1",
    'UPDATE OR FAIL t SET ("{c}", id) = ($1, 1) WHERE id = 1 AND id IS NOT DISTINCT FROM id',
    "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1, [{c}] = ? WHERE true",
    "REPLACE INTO t (id, {c}) SELECT 1, ? AS anything FROM t WHERE id = 1",
    "WITH one (x) AS (VALUES (1)) REPLACE INTO t (id, `{c}`) SELECT x, ? FROM one UNION ALL SELECT 1, NULL LIMIT 1",
    "REPLACE INTO t (id, {c}) VALUES (1, +? COLLATE NOCASE)",
    "REPLACE INTO t (id, {c}) SELECT one.*, ? FROM (SELECT 1) AS one",
    "REPLACE INTO t (id, {c}) SELECT * FROM (VALUES (1, ?))",
    "REPLACE INTO t (id, {c}) VALUES (1, (SELECT ?))",
    "REPLACE INTO t (id, {c}) SELECT 1, x.a FROM (SELECT ? AS a) AS x",
    "WITH replace (v) AS (SELECT ?) REPLACE INTO t (id, {c}) SELECT 1, v FROM replace",
    "WITH replace (v) AS (SELECT 1) REPLACE INTO t (id, {c}) SELECT v, ? FROM replace",
    "UPDATE t SET ({c}, id) = (SELECT ?, 1)",
]


@settings(max_examples=600, deadline=None)
@given(given_value=VALUES, column=st.integers(0, len(TYPES) - 1), way=st.sampled_from(WAYS))
def test_what_goes_into_any_column_comes_out_or_is_an_error(
    database: Database, given_value: Variant, column: int, way: str
) -> None:
    database.execute("REPLACE INTO t (id) VALUES (1)")
    try:
        database.execute(way.replace("{c}", f"c{column}").replace("{C}", f"C{column}"), given_value)
    except DoesNotFit:
        return
    [[found]] = database.query(f"SELECT c{column} FROM t WHERE id = 1")
    assert is_same(given_value.value, found.value), f"{given_value} came out of {TYPES[column]!r} as {found}"
    assert found.value is None or type(found.value) is CASES[found.case]


@settings(max_examples=200, deadline=None)
@given(given_value=VALUES, column=st.integers(0, 4))
def test_what_goes_into_a_strict_table_comes_out_or_is_an_error(
    database: Database, given_value: Variant, column: int
) -> None:
    try:
        database.execute(f"REPLACE INTO s (id, c{column}) VALUES (1, ?)", given_value)
    except SqlError:
        return
    [[found]] = database.query(f"SELECT c{column} FROM s WHERE id = 1")
    assert is_same(given_value.value, found.value), f"{given_value} came out as {found}"


@settings(max_examples=200, deadline=None)
@given(given_value=VALUES)
def test_what_goes_through_an_expression_comes_out_or_is_an_error(database: Database, given_value: Variant) -> None:
    try:
        [[found]] = database.query("SELECT ?", given_value)
    except DoesNotFit:
        return
    assert is_same(given_value.value, found.value)


@settings(max_examples=400, deadline=None)
@given(value=VALUES, declared=st.sampled_from(TYPES))
def test_a_value_is_refused_exactly_where_sqlite_would_change_it(value: Variant, declared: str) -> None:
    try:
        kept = stored(value)
    except DoesNotFit:
        return
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t (v {declared})")
    connection.execute("INSERT INTO t VALUES (?)", (kept,))
    found: Any = connection.execute("SELECT v FROM t").get
    connection.close()
    changed = not is_same(kept, found)
    if value.case == "boolean" and not changed:
        changed = type(found) is float  # a truth is no number with a fraction
    assert stays(value, affinity(declared)) is not changed, f"{declared!r} makes {found!r} of {kept!r}"


@given(st.integers(0, 2**64 - 1))
def test_an_integer_above_the_largest_is_an_error(number: int) -> None:
    if number < 2**63:
        assert stored(Variant("uint64", number)) == number
    else:
        with pytest.raises(DoesNotFit, match=r"above 2\^63-1"):
            stored(Variant("uint64", number))


@given(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary()), st.sampled_from(TYPES)
)
def test_whatever_a_column_holds_comes_out_as_what_it_is(value: Any, declared: str) -> None:
    found = lifter(declared)(value)
    assert found.value is None if value is None else is_same(value, found.value)
    assert value is None or type(found.value) is CASES[found.case]


@given(st.floats(width=32, allow_nan=False))
def test_a_short_float_is_one_again(number: float) -> None:
    found = lifter("FLOAT4")(number)
    assert found == Variant("float", number)
    assert struct.unpack("f", struct.pack("f", found.value))[0] == number


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("date", "2024-2-3"),
        ("date", "2023-02-29"),
        ("date", "20240203"),
        ("date", "\u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0661"),
        ("date", "2024-01-01 "),
        ("date", "2024-01-01\n"),
        ("time", "24:00:00"),
        ("time", "12:00"),
        ("time", "12:00:00.1234567890"),
        ("time", "12:00:00Z"),
        ("timestamp", "2024-01-01"),
        ("timestamp", "2024-01-01T25:00:00"),
        ("timestamp", "2024-01-01T12:00:00+1"),
        ("timestamp", "2024-01-01T12:00:00+99:99"),
    ],
)
def test_a_text_that_is_no_date_or_time_is_an_error(case: str, text: str) -> None:
    with pytest.raises(DoesNotFit, match=f"^{case}"):
        stored(Variant(case, text))


def test_the_table_in_the_documentation_is_what_happens(database: Database) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sql.md").read_text()
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if re.match(r"\| `[A-Z]", line)
    ]
    table = {row[0]: row[1:] for row in rows if len(row) == len(CASES) + 1}
    samples: dict[str, Any] = {
        "int32": 5,
        "int64": 2**40,
        "uint32": 2**32 - 1,
        "uint64": 2**40,
        "float": 1.5,
        "double": 0.1,
        "str": "abc",
        "boolean": True,
        "date": "2024-02-29",
        "time": "12:30:00",
        "timestamp": "2024-02-29T12:30:00Z",
        "binary": b"\0",
    }
    assert len(table) >= 14
    for declared, cells in table.items():
        database.execute("DROP TABLE IF EXISTS shown")
        database.execute(f"CREATE TABLE shown (v {'' if declared == 'NONE' else declared})")
        for (case, value), cell in zip(samples.items(), cells, strict=True):
            try:
                database.execute("INSERT INTO shown (v) VALUES (?)", Variant(case, value))
                [[found]] = database.query("SELECT v FROM shown")
                happens = found.case
            except DoesNotFit:
                happens = "error"
            database.execute("DELETE FROM shown")
            says = cell.rstrip("*")
            assert says == happens, f"{case} in {declared}: the page says {cell}, and it is {happens}"
            if case in ("float", "double") and says != "error":
                database.execute("INSERT INTO shown (v) VALUES (?), (?)", Variant(case, 3.0), Variant("int32", 3))
                [[whole], [integer]] = database.query("SELECT v FROM shown")
                database.execute("DELETE FROM shown")
                assert (whole == integer) is (cell.endswith("*") or declared in ("REAL", "FLOAT4")), declared
