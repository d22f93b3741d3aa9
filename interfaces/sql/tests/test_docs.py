"""The tables of variables in docs/sql.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from qwasr_sql.sqlite import SqliteOptions

PAGE = Path(__file__).parents[3] / "docs" / "sql.md"
UNITS = {"": 1, "MiB": 1024**2, "GiB": 1024**3}


def test_the_table_of_the_page_has_every_variable_with_its_default() -> None:
    table = PAGE.read_text().split("## Variables")[1]
    told = dict(re.findall(r"^\| `(\w+(?:__<NAME>)?)` \| (.*?) ?\|", table, re.MULTILINE))
    for variable in SqliteOptions.variables():
        text = told.pop(variable.name).strip("`")
        if isinstance(variable.default, str):
            assert text == variable.default
        elif not isinstance(variable.default, (int, float)):
            assert text == ""  # names, of which there are none
        else:
            number, unit = re.findall(r"([\d\s]+)([A-Za-z]*)", text)[0]
            assert int("".join(number.split())) * UNITS[unit] == variable.default, variable.name
    assert set(told) == {"QWASR_SQL", "QWASR_SQL__<NAME>", "QWASR_SQL_STORES"}
