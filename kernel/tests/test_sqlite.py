"""A SQLite file behind an interface: threads that read and write it, and what its errors become."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwasr.errors import BackendError, OptionError
from qwasr.sqlite import FileErrors, Form, Place, Threads, explain, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ShelfError(Exception): ...


class Away(ShelfError): ...


class Denied(ShelfError): ...


class Full(ShelfError): ...


class TooLarge(ShelfError): ...


def form(version: int = 1, **more: object) -> Form:
    return Form(
        what="shelf",
        application=0x73686C66,
        version=version,
        schema=("CREATE TABLE books (title TEXT PRIMARY KEY)", "CREATE TABLE lent (title TEXT)"),
        errors=FileErrors(unavailable=Away, denied=Denied, full=Full, too_large=TooLarge),
        expected=ShelfError,
        **more,  # type: ignore[arg-type]  # what a test adds
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shelf.db"


@pytest.fixture
async def threads(path: Path) -> AsyncIterator[Threads]:
    threads = Threads(form(), Place(path=path), asyncio.get_running_loop())
    yield threads
    threads.close()


def put(title: str, file: sqlite3.Connection) -> None:
    file.execute("INSERT INTO books VALUES (?)", (title,))


async def count(threads: Threads) -> int:
    rows: int = await threads.read(lambda file: int(file.execute("SELECT count(*) FROM books").fetchone()[0]))
    return rows


async def test_what_is_written_is_read(threads: Threads) -> None:
    await threads.write(partial(put, "a"))
    assert await count(threads) == 1


async def test_a_job_that_fails_takes_back_what_it_wrote_and_nobody_elses(threads: Threads) -> None:
    def broken(file: sqlite3.Connection) -> None:
        file.execute("INSERT INTO books VALUES ('broken')")
        raise ZeroDivisionError

    def refused(_file: sqlite3.Connection) -> None:
        raise Denied

    writes = [threads.write(partial(put, str(number))) for number in range(9)]
    results = await asyncio.gather(
        *writes[:5], threads.write(broken), threads.write(refused), *writes[5:], return_exceptions=True
    )
    assert [type(result) for result in results if isinstance(result, Exception)] == [ZeroDivisionError, Denied]
    assert await count(threads) == 9


async def test_a_reader_cannot_write(threads: Threads) -> None:
    with pytest.raises(Denied):
        await threads.read(lambda file: file.execute("INSERT INTO books VALUES ('a')"))


async def test_a_closed_file_says_so(path: Path) -> None:
    threads = Threads(form(), Place(path=path), asyncio.get_running_loop())
    threads.close()
    threads.close()
    with pytest.raises(RuntimeError, match="the file of the shelf is closed"):
        threads.read(lambda _file: None)


async def test_tidying_is_part_of_a_transaction_now_and_then(path: Path) -> None:
    tidied = []
    tidy = form(tidy=lambda file: tidied.append(file.in_transaction))
    threads = Threads(tidy, Place(path=path), asyncio.get_running_loop())
    threads._swept_s = -1000
    for number in range(5):
        await threads.write(partial(put, str(number)))
    threads.close()
    assert tidied == [True]


async def test_a_file_of_another_version_is_refused(path: Path) -> None:
    Threads(form(), Place(path=path), asyncio.get_running_loop()).close()
    with pytest.raises(BackendError, match="has version 1 of its form, and this is made for 2"):
        Threads(form(2), Place(path=path), asyncio.get_running_loop())


@pytest.mark.parametrize(("url", "path"), [("sqlite:///a.db", "a.db"), ("sqlite:////x/a%3Fb.db", "/x/a?b.db")])
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert path_of(url, "SHELF_URL") == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite://host/a", "sqlite:///a?b", "sqlite:///a#b", "file:///a", ""])
def test_another_url_is_an_error_that_names_its_variable(url: str) -> None:
    with pytest.raises(OptionError, match="SHELF_URL: write sqlite:///relative"):
        path_of(url, "SHELF_URL")


def test_an_error_that_nobody_expects_stays_as_it_is() -> None:
    error = sqlite3.ProgrammingError("no such table")
    assert explain(error, form()) is error
