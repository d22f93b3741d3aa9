"""A SQLite file behind an interface: threads that read and write it, and what its errors become."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from qwasr.errors import BackendError, OptionError
from qwasr.sqlite import FileErrors, Form, Place, Threads, _file, explain, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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


@pytest.mark.parametrize(("synchronous", "number"), [("normal", 1), ("full", 2)])
async def test_a_file_has_a_log_and_is_written_as_safely_as_was_asked_for(
    path: Path, synchronous: Literal["normal", "full"], number: int
) -> None:
    threads = Threads(form(), Place(path=path, synchronous=synchronous), asyncio.get_running_loop())

    def settings(file: sqlite3.Connection) -> list[object]:
        return [file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert await threads.write(settings) == await threads.read(settings) == ["wal", number]
    threads.close()


async def test_a_file_that_cannot_have_a_log_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file, "_LOG", "PRAGMA journal_mode = DELETE")  # as SQLite answers where WAL cannot be had
    with pytest.raises(BackendError, match=r"shelf\.db' cannot have a write-ahead log.*local disk"):
        Threads(form(), Place(path=path), asyncio.get_running_loop())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process that writes to the file."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


async def test_each_of_many_writes_waits_for_another_process_as_long_as_one_does(path: Path) -> None:
    threads = Threads(form(), Place(path=path, lock_timeout_s=0.5), asyncio.get_running_loop())
    with locked(path):
        began_s = time.monotonic()
        writes = [threads.write(partial(put, str(number))) for number in range(64 * 24)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert {type(result) for result in results} == {Away}
        assert time.monotonic() - began_s < 24 * 0.5 / 2, "they waited one batch after another"
    await threads.write(partial(put, "a"))
    threads.close()


async def test_a_write_that_is_asked_for_later_waits_until_later(path: Path) -> None:
    threads = Threads(form(), Place(path=path, lock_timeout_s=2), asyncio.get_running_loop())
    with locked(path):
        first = threads.write(partial(put, "first"))
        await asyncio.sleep(1)
        second = threads.write(partial(put, "second"))
        with pytest.raises(Away):
            await first
        assert not second.done()
    await second
    assert await count(threads) == 1
    threads.close()


async def test_writes_that_nobody_waits_for_any_more_do_not_wait_for_the_lock_either(path: Path) -> None:
    threads = Threads(form(), Place(path=path, lock_timeout_s=3600), asyncio.get_running_loop())
    with locked(path):
        writes = [threads.write(partial(put, str(number))) for number in range(200)]
        await asyncio.sleep(0.1)  # the first ones are in the hands of the thread
        for write in writes:
            write.cancel()
        await asyncio.wait_for(asyncio.to_thread(threads.close), 20)  # which waits until the threads are done
    again = Threads(form(), Place(path=path), asyncio.get_running_loop())
    assert await count(again) == 0
    again.close()


async def test_a_write_that_is_cancelled_while_others_wait_for_the_lock_does_not_happen(path: Path) -> None:
    threads = Threads(form(), Place(path=path, lock_timeout_s=3600), asyncio.get_running_loop())
    with locked(path):
        cancelled, kept = threads.write(partial(put, "cancelled")), threads.write(partial(put, "kept"))
        await asyncio.sleep(0.1)
        cancelled.cancel()
    await kept
    assert await count(threads) == 1
    threads.close()


async def test_a_full_file_is_tidied_up_before_it_is_called_full(path: Path) -> None:
    def tidy(file: sqlite3.Connection) -> None:
        file.execute("DELETE FROM books WHERE rowid IN (SELECT rowid FROM books WHERE title LIKE 'old%' LIMIT 10)")

    threads = Threads(form(tidy=tidy), Place(path=path, max_bytes=2**20), asyncio.get_running_loop())
    threads._swept_s = float("inf")  # not by the clock
    for number in range(600):
        await threads.write(partial(put, f"old {number:5000}"))
    writes = [threads.write(partial(put, f"new {number:5000}")) for number in range(600)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), Full}
    assert await threads.read(_old) == 0
    threads.close()


def _old(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT count(*) FROM books WHERE title LIKE 'old%'").fetchone()[0])


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
