"""The guestbook of examples/sql and examples/sql-rust: entries go into the database as they came, and out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qwasr_sql.errors import SqlError

if TYPE_CHECKING:
    from qwasr.testing import Guest


pytestmark = pytest.mark.usefixtures("guest_component")  # so that every test has its parameters


@pytest.fixture(params=["sql", "sql-rust"])
def guest_component(request: pytest.FixtureRequest, guest_path: Callable[[str], Path]) -> Path:
    return guest_path(request.param)


async def test_an_entry_is_written_with_its_name(guest: Guest) -> None:
    response = await guest.post("/Ada", body="hello")
    assert (response.status, response.text) == (201, "1 entry written\n")
    assert guest.sql.rows("SELECT name, entry FROM entries") == [{"name": "Ada", "entry": "hello"}]


async def test_entries_are_read_the_newest_first_and_by_name(guest: Guest) -> None:
    for name, entry in (("Ada", "one"), ("Bob", "two"), ("Ada", "three")):
        await guest.post(f"/{name}", body=entry)
    assert (await guest.get("/")).text == "Ada: three\nBob: two\nAda: one\n"
    assert (await guest.get("/Bob?page=2")).text == "Bob: two\n"
    assert (await guest.get("/Eve")).text == ""


@pytest.mark.parametrize("text", ["'); DROP TABLE entries; --", "x' OR '1'='1", "%", "日本", "a" * 100_000])
async def test_what_looks_like_sql_is_an_entry_like_others(guest: Guest, text: str) -> None:
    await guest.post("/Ada", body=text)
    assert guest.sql.rows("SELECT entry FROM entries") == [{"entry": text}]
    assert (await guest.get("/")).text == f"Ada: {text}\n"


async def test_an_error_of_the_database_is_answered_with_its_own_words(guest: Guest) -> None:
    guest.sql.fail(SqlError("database disk image is malformed", "SQLITE_CORRUPT"))
    response: Any = await guest.get("/")
    assert (response.status, response.text) == (500, "SQLITE_CORRUPT: database disk image is malformed\n")
