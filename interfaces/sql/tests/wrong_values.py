"""What can be wrong with values, parameters and columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interfaces.sql.tests.wrong import WrongDatabase
from qwasr.values import Variant
from qwasr_sql.protocol import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence


class WrongParams(WrongDatabase):
    """Changes the parameters, and perhaps the text, of everything."""

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, params

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        return await self.right.query(*self.change(sql, list(params)))

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return await self.right.execute(*self.change(sql, list(params)))


class WrongRows(WrongDatabase):
    """Changes the results of queries."""

    def change(self, rows: Rows) -> Rows:
        return rows

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        return self.change(await self.right.query(sql, params))


class OneIntegerForAll(WrongRows):
    breaks = ("test_each_case_comes_out_as_it_went_in_or_is_an_error[int32]",)

    def change(self, rows: Rows) -> Rows:
        found = [[Variant("int64", v.value) if v.case == "int32" else v for v in row] for row in rows.rows]
        return Rows(rows.columns, found)


class NullIsEmpty(WrongRows):
    breaks = ("test_null_comes_out_as_null[str]",)

    def change(self, rows: Rows) -> Rows:
        found = [[Variant(v.case, "") if v == Variant("str", None) else v for v in row] for row in rows.rows]
        return Rows(rows.columns, found)


class NullIsText(WrongRows):
    breaks = ("test_null_comes_out_as_null[date]",)

    def change(self, rows: Rows) -> Rows:
        found = [[Variant("str", None) if v.value is None else v for v in row] for row in rows.rows]
        return Rows(rows.columns, found)


class Strips(WrongParams):
    breaks = (
        "test_each_case_comes_out_as_it_went_in_or_is_an_error[str]",
        "test_no_column_makes_another_value_of_one_in_silence[str]",
    )

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, [Variant("str", p.value.strip()) if isinstance(p.value, str) else p for p in params]


class TakesTextForNumbers(WrongParams):
    breaks = ("test_no_column_makes_another_value_of_one_in_silence[int64]",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, [Variant("int64", int(p.value)) if str(p.value) in ("12", "0012") else p for p in params]


class Rounds(WrongParams):
    breaks = ("test_no_column_makes_another_value_of_one_in_silence[double]",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, [Variant("double", float(p.value)) if p.case == "int64" and p.value else p for p in params]


class UpdatesWithWholeNumbers(WrongParams):
    breaks = ("test_an_update_makes_no_other_value_of_one_in_silence",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        updates = sql.startswith("UPDATE")
        return sql, [Variant("int64", int(p.value)) if updates and p.case == "double" else p for p in params]


class Clamps(WrongParams):
    breaks = ("test_a_value_that_does_not_fit_leaves_the_row_as_it_was",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, [Variant("int64", min(p.value, 2**63 - 1)) if p.case == "uint64" else p for p in params]


class Pastes(WrongParams):
    breaks = ("test_a_parameter_is_bound_and_never_pasted",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        for number, param in enumerate(params, 1):
            sql = sql.replace(f"${number}", f"'{param.value}'")
        return sql, []


class RewritesMarks(WrongParams):
    breaks = ("test_a_mark_inside_of_a_text_is_no_parameter",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql.replace("?", "$1") if len(params) == 1 else sql, params


class Backwards(WrongParams):
    breaks = (
        "test_parameters_are_bound_in_their_order[?, ?]",
        "test_parameters_are_bound_in_their_order[$1, $2]",
        "test_parameters_are_bound_in_their_order[?1, ?2]",
    )

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return sql, params[::-1]


class IgnoresNumbers(WrongParams):
    breaks = ("test_a_parameter_is_bound_wherever_its_number_is",)

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        return re.sub(r"\$\d+", "?", sql), params


class PadsParameters(WrongParams):
    breaks = (
        "test_a_parameter_too_many_or_too_few_is_an_error[0]",
        "test_a_parameter_too_many_or_too_few_is_an_error[1]",
        "test_a_parameter_too_many_or_too_few_is_an_error[3]",
    )

    def change(self, sql: str, params: list[Variant]) -> tuple[str, list[Variant]]:
        wanted = len(re.findall(r"\$\d", sql))
        return sql, [*params, *[Variant("str", None)] * wanted][:wanted]


class OneColumnOfAName(WrongRows):
    breaks = ("test_columns_come_by_name_in_their_order",)

    def change(self, rows: Rows) -> Rows:
        found = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
        return Rows(tuple(dict.fromkeys(rows.columns)), [list(row.values()) for row in found])


class NoRowsNoColumns(WrongRows):
    breaks = ("test_a_result_without_rows_has_its_columns",)

    def change(self, rows: Rows) -> Rows:
        return rows if rows.rows else Rows((), [])
