"""Rules for values, parameters and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from qwasr.values import Variant
from qwasr_sql.compliance._tables import DECLARED, SAMPLES, database, is_same, one_value, table
from qwasr_sql.errors import DoesNotFit, SqlError
from qwasr_sql.protocol import CASES

if TYPE_CHECKING:
    from qwasr_sql.protocol import Sql

__all__ = ["ParameterRules", "ValueRules"]


class ValueRules:
    """What comes out is what went in.

    Attributes:
        declared: for each case the declared type of a column that gives values back in this case.
    """

    declared: ClassVar[dict[str, str]] = DECLARED

    @pytest.mark.parametrize("case", CASES)
    async def test_each_case_comes_out_as_it_went_in_or_is_an_error(self, backend: Sql, case: str) -> None:
        if case not in self.declared:
            pytest.skip(f"the database has no type for {case}")
        db = await database(backend)
        name = await table(db, f"id INTEGER, v {self.declared[case]}")
        kept = 0
        for number, value in enumerate(SAMPLES[case]):
            try:
                await db.execute(
                    f"INSERT INTO {name} (id, v) VALUES ($1, $2)", [Variant("int32", number), Variant(case, value)]
                )
            except DoesNotFit:
                continue
            found = await one_value(db, f"SELECT v FROM {name} WHERE id = $1", Variant("int32", number))
            assert found.case == case, f"{case} {value!r} came out as {found.case}"
            assert type(found.value) is CASES[case], f"{case} came out as a {type(found.value).__name__}"
            assert is_same(value, found.value), f"{case} {value!r} came out as {found.value!r}"
            kept += 1
        assert kept, f"the column for {case} takes none of its values"

    @pytest.mark.parametrize("case", CASES)
    async def test_null_comes_out_as_null(self, backend: Sql, case: str) -> None:
        db = await database(backend)
        name = await table(db, f"v {self.declared.get(case, 'TEXT')}")
        await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant(case, None)])
        found = await one_value(db, f"SELECT v FROM {name}")
        assert found.value is None
        assert found.case == case or case not in self.declared

    @pytest.mark.parametrize("column", CASES)
    async def test_no_column_makes_another_value_of_one_in_silence(self, backend: Sql, column: str) -> None:
        db = await database(backend)
        name = await table(db, f"id INTEGER, v {self.declared.get(column, 'TEXT')}")
        number = 0
        for case, values in SAMPLES.items():
            for value in values:
                number += 1
                given = Variant(case, value)
                try:
                    await db.execute(f"INSERT INTO {name} (id, v) VALUES ($1, $2)", [Variant("int32", number), given])
                except SqlError:
                    continue
                found = await one_value(db, f"SELECT v FROM {name} WHERE id = $1", Variant("int32", number))
                assert is_same(value, found.value), f"{case} {value!r} came out of a {column} column as {found}"

    async def test_an_update_makes_no_other_value_of_one_in_silence(self, backend: Sql) -> None:
        db = await database(backend)
        for column, declared in self.declared.items():
            name = await table(db, f"v {declared}")
            await db.execute(f"INSERT INTO {name} (v) VALUES (NULL)")
            for given in (Variant("str", "0012"), Variant("int64", 2**53 + 1), Variant("double", 1.5)):
                try:
                    await db.execute(f"UPDATE {name} SET v = $1", [given])
                except SqlError:
                    continue
                found = await one_value(db, f"SELECT v FROM {name}")
                assert is_same(given.value, found.value), f"{given} came out of a {column} column as {found}"

    async def test_a_value_that_does_not_fit_leaves_the_row_as_it_was(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, f"v {self.declared['int64']}")
        await db.execute(f"INSERT INTO {name} (v) VALUES (5)")
        with pytest.raises(SqlError):
            await db.execute(f"UPDATE {name} SET v = $1", [Variant("uint64", 2**64 - 1)])
        assert await one_value(db, f"SELECT v FROM {name}") == Variant("int64", 5)


class ParameterRules:
    """How parameters are bound, and what columns are called."""

    async def test_a_parameter_is_bound_and_never_pasted(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        for text in (f"'); DROP TABLE {name}; --", "' OR '1'='1", '"', "$1", "?", "\\'"):
            await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant("str", text)])
            found = await one_value(db, f"SELECT v FROM {name} WHERE v = $1", Variant("str", text))
            assert found == Variant("str", text)

    async def test_a_mark_inside_of_a_text_is_no_parameter(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT")
        await db.execute(f"INSERT INTO {name} (a, b) VALUES ('?$1', ?)", [Variant("str", "b")])
        assert (await db.query(f"SELECT a, b FROM {name}")).rows == [[Variant("str", "?$1"), Variant("str", "b")]]

    @pytest.mark.parametrize("marks", ["$1, $2", "?1, ?2", "?, ?"])
    async def test_parameters_are_bound_in_their_order(self, backend: Sql, marks: str) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT")
        await db.execute(f"INSERT INTO {name} (a, b) VALUES ({marks})", [Variant("str", "1"), Variant("str", "2")])
        assert (await db.query(f"SELECT a, b FROM {name}")).rows == [[Variant("str", "1"), Variant("str", "2")]]

    async def test_a_parameter_is_bound_wherever_its_number_is(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT, c TEXT")
        params = [Variant("str", "1"), Variant("str", "2")]
        await db.execute(f"INSERT INTO {name} (a, b, c) VALUES ($2, $1, $2)", params)
        found = (await db.query(f"SELECT a, b, c FROM {name}")).rows
        assert [value.value for value in found[0]] == ["2", "1", "2"]

    @pytest.mark.parametrize("count", [0, 1, 3])
    async def test_a_parameter_too_many_or_too_few_is_an_error(self, backend: Sql, count: int) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT")
        with pytest.raises(DoesNotFit):
            await db.execute(f"INSERT INTO {name} (a, b) VALUES ($1, $2)", [Variant("str", "x")] * count)
        assert (await db.query(f"SELECT a FROM {name}")).rows == []

    async def test_columns_come_by_name_in_their_order(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT")
        await db.execute(f"INSERT INTO {name} (a, b) VALUES ('1', '2')")
        found = await db.query(f"SELECT b, a, b AS c, b FROM {name}")
        assert found.columns == ("b", "a", "c", "b")
        assert [value.value for value in found.rows[0]] == ["2", "1", "2", "2"]

    async def test_a_result_without_rows_has_its_columns(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "a TEXT, b TEXT")
        found = await db.query(f"SELECT b, a FROM {name}")
        assert (found.columns, found.rows) == (("b", "a"), [])
