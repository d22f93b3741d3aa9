"""SQLite in files: how they are named, opened, shared and closed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.sql.tests.databases import begun, opened
from interfaces.sql.tests.other import Other
from qwasr.errors import BackendError, OptionError
from qwasr.values import Variant
from qwasr_sql._session import Session
from qwasr_sql.errors import DoesNotFit, NoSuchDatabase, SqlError, Unavailable
from qwasr_sql.sqlite import Sqlite, SqliteOptions, path_of

if TYPE_CHECKING:
    from pathlib import Path


ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


def fill(path: Path, text: bytes) -> None:
    path.write_bytes(text)


def content(path: Path) -> bytes:
    return path.read_bytes()


# ------------------------------------------------------------------ names and paths


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.db", "a.db"),
        ("sqlite:///a/b.db", "a/b.db"),
        ("sqlite:///what%3F.db", "what?.db"),
        ("file:a.db", "file:a.db"),
    ],
)
def test_a_path_is_relative_to_the_working_folder(text: str, name: str) -> None:
    assert path_of(text) == os.path.join(os.getcwd(), name)  # noqa: PTH109, PTH118 - as SQLite is given it


def test_four_slashes_are_absolute_and_memory_is_no_file() -> None:
    assert path_of("sqlite:////a/b.db") == "/a/b.db"
    assert path_of(":memory:") is path_of("sqlite:///:memory:") is None


@pytest.mark.parametrize(
    "text", ["", "sqlite://", "sqlite:///", "sqlite://host/a.db", "sqlite:///a.db?mode=ro", "postgres://a", "a\0b"]
)
def test_what_names_no_file_is_an_error(text: str) -> None:
    with pytest.raises(OptionError, match="SQL_DATABASE"):
        path_of(text)


async def test_databases_have_names_of_one_spelling(path: Path) -> None:
    options = SqliteOptions(databases={"MY_DB": str(path)})
    backend = await Sqlite.connect(options)
    first = await backend.open_database("my-db")
    assert await backend.open_database("my-db") is first
    assert await backend.open_database("default") is await backend.open_database("") is not first
    for name in ("MY_DB", "my_db", "other"):
        with pytest.raises(NoSuchDatabase, match=r"SQL_DATABASE__"):
            await backend.open_database(name)
    await backend.close()


def test_only_a_file_may_be_shared_by_workers() -> None:
    assert Sqlite.per_process(SqliteOptions())
    assert Sqlite.per_process(SqliteOptions(database="a.db", databases={"B": ":memory:"}))
    assert not Sqlite.per_process(SqliteOptions(database="a.db", databases={"B": "b.db"}))


def test_registering_the_backend_imports_no_database() -> None:
    code = "import sys, qwasr_sql.plugin as p; p.qwasr_register_backends(); assert 'apsw' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------ files


async def test_a_new_file_is_for_its_owner_alone(path: Path) -> None:
    async with opened(path) as db:
        await db.execute("CREATE TABLE t (v)")
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_closing_finishes_what_was_begun_and_leaves_one_file(path: Path) -> None:
    backend = await Sqlite.connect(SqliteOptions(database=str(path)))
    db = await backend.open_database("")
    await db.execute("CREATE TABLE t (v)")
    writes = [asyncio.create_task(db.execute("INSERT INTO t VALUES (1)")) for _ in range(3)]
    await asyncio.sleep(0.01)
    await asyncio.gather(*writes)
    await backend.close()
    await backend.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with pytest.raises(RuntimeError, match="closed"):
        await db.execute("SELECT 1")


async def test_closing_stops_a_statement_that_would_not_end(path: Path) -> None:
    async with opened(path) as db:
        task = asyncio.create_task(db.query(ENDLESS))
        assert db._reader is not None
        await begun(db._reader)
        began_s = time.monotonic()
        await asyncio.to_thread(db._reader.close, 0.2)
        assert time.monotonic() - began_s < 5
        with pytest.raises(SqlError, match="SQLITE_INTERRUPT"):
            await task


async def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    text = b"no database at all, only text" * 100
    fill(path, text)
    with pytest.raises(BackendError, match=r"SQL_DATABASE: SQLITE_NOTADB"):
        await Sqlite.connect(SqliteOptions(database=str(path)))
    assert content(path) == text


async def test_a_folder_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="Is a directory"):
        await Sqlite.connect(SqliteOptions(database=str(tmp_path)))
    with pytest.raises(BackendError, match=r"SQL_DATABASE__B: .*No such file or directory"):
        await Sqlite.connect(SqliteOptions(databases={"B": str(tmp_path / "absent" / "b.db")}))


async def test_the_check_notices_that_the_file_is_gone_or_another(path: Path) -> None:
    backend = await Sqlite.connect(SqliteOptions(database=str(path)))
    await backend.check()
    os.rename(path, path.with_name("elsewhere.db"))  # noqa: PTH104 - a test may wait
    for _ in range(2):
        with pytest.raises(BackendError, match="No such file"):
            await backend.check()
    fill(path, b"no database at all, only text" * 100)
    with pytest.raises(BackendError, match="SQLITE_NOTADB"):
        await backend.check()
    await backend.close()


async def test_a_database_that_was_open_already_is_closed_when_the_next_has_no_path(path: Path) -> None:
    with pytest.raises(OptionError):
        await Sqlite.connect(SqliteOptions(database=str(path), databases={"B": "postgres://host/b"}))
    assert [file.name for file in path.parent.iterdir()] == [path.name], "its log still lies beside it"


async def test_an_existing_database_is_used_as_it_is(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (v TEXT)")
    other.execute("INSERT INTO t VALUES ('a')")
    other.commit()
    other.close()
    async with opened(path) as db:
        assert (await db.query("SELECT v FROM t")).rows == [[Variant("str", "a")]]


# ------------------------------------------------------------------ several connections


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
@pytest.mark.parametrize("writes", [True, False])
def test_each_connection_keeps_a_log_and_waits_for_the_disk_as_it_is_told(
    path: Path, synchronous: Any, level: int, writes: bool
) -> None:
    options = SqliteOptions(synchronous=synchronous)
    Session(str(path), options, writes=True).close()
    session = Session(str(path), options, writes=writes)
    with session._refusals.lifted():
        assert session.connection.pragma("journal_mode") == "wal"
        assert session.connection.pragma("synchronous") == level
        assert session.connection.pragma("foreign_keys") == 1
        assert session.connection.pragma("query_only") == (not writes)
    session.close()


async def test_what_is_read_holds_up_no_write(path: Path) -> None:
    async with opened(path, busy_timeout_s=0.1) as db:
        await db.execute("CREATE TABLE t (v)")
        await db.execute("INSERT INTO t VALUES (1), (2)")
        reads, written = threading.Event(), threading.Event()

        def read(session: Session) -> list[int]:
            cursor = session.connection.execute("SELECT v FROM t")
            found = [next(cursor)[0]]
            reads.set()
            assert written.wait(30)
            return found + [row[0] for row in cursor]

        assert db._reader is not None
        reading = asyncio.create_task(db._reader.run(read))
        assert await asyncio.to_thread(reads.wait, 30)
        assert await db.execute("INSERT INTO t VALUES (3)") == 1
        assert len((await db.query("SELECT v FROM t")).rows) == 3, "what was written is not read by the next call"
        written.set()
        assert await reading == [1, 2], "it is not read as it was when reading began"


async def test_as_many_read_at_once_as_there_are_readers(path: Path) -> None:
    async with opened(path, readers=4) as db:
        assert db._reader is not None
        together = threading.Barrier(4)
        await asyncio.gather(*(db._reader.run(lambda _: together.wait(30)) for _ in range(4)))


# ------------------------------------------------------------------ other processes


async def test_a_write_waits_for_another_process_and_then_gives_up_while_reading_goes_on(path: Path) -> None:
    async with opened(path, busy_timeout_s=0.2) as db:
        await db.execute("CREATE TABLE t (v)")
        with Other(path) as other:
            other.run("BEGIN IMMEDIATE")
            for call, sql in ((db.execute, "INSERT INTO t VALUES (1)"), (db.query, "DELETE FROM t RETURNING v")):
                began_s = time.monotonic()
                with pytest.raises(Unavailable, match=r"SQLITE_BUSY.*unavailable"):
                    await call(sql)
                assert 0.2 <= time.monotonic() - began_s < 20
            assert (await db.query("SELECT * FROM t")).rows == []


async def test_a_write_is_done_when_another_process_is_through(path: Path) -> None:
    async with opened(path, busy_timeout_s=60) as db:
        await db.execute("CREATE TABLE t (v)")
        with Other(path) as other:
            other.run("BEGIN IMMEDIATE")
            later = asyncio.create_task(db.execute("INSERT INTO t VALUES (1)"))
            await begun(db._writer)
            other.run("COMMIT")
            assert await later == 1


async def test_a_cancelled_write_does_not_wait_for_another_process(path: Path) -> None:
    async with opened(path, busy_timeout_s=60) as db:
        await db.execute("CREATE TABLE t (v)")
        with Other(path) as other:
            other.run("BEGIN IMMEDIATE")
            task = asyncio.create_task(db.execute("INSERT INTO t VALUES (1)"))
            await begun(db._writer)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await asyncio.wait_for(db._writer.run(lambda _: True), 5), "the thread still waits"
            other.run("ROLLBACK")
        assert await db.execute("INSERT INTO t VALUES (2)") == 1
        assert (await db.query("SELECT v FROM t")).rows == [[Variant("int64", 2)]]


async def test_a_transaction_that_is_cancelled_twice_at_its_begin_leaves_nothing_open(path: Path) -> None:
    async with opened(path, busy_timeout_s=60) as db:
        await db.execute("CREATE TABLE t (v)")

        async def begin() -> None:
            async with db.transaction():
                pass

        with Other(path) as other:
            other.run("BEGIN IMMEDIATE")
            task = asyncio.create_task(begin())
            await begun(db._writer)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            other.run("ROLLBACK")
            await asyncio.gather(task, return_exceptions=True)
            assert await asyncio.wait_for(db.execute("INSERT INTO t VALUES (1)"), 5) == 1
            assert other.run("SELECT v FROM t") == [[1]], "it was written and not committed"


async def test_a_table_that_another_process_made_anew_is_seen_with_its_new_types(path: Path) -> None:
    async with opened(path) as db:
        await db.execute("CREATE TABLE t (v TEXT)")
        insert, number = "INSERT INTO t (v) VALUES (?)", Variant("str", "0012")
        assert await db.execute(insert, [number]) == 1
        with Other(path) as other:
            other.run("DROP TABLE t")
            other.run("CREATE TABLE t (v INTEGER)")
            with pytest.raises(DoesNotFit):
                await db.execute(insert, [number])
            other.run("DROP TABLE t")
            other.run("CREATE TABLE t (v TEXT)")
            assert await db.execute(insert, [number]) == 1


async def test_two_databases_may_be_one_file(path: Path) -> None:
    backend = await Sqlite.connect(SqliteOptions(database=str(path), databases={"SAME": str(path)}))
    one, same = await backend.open_database(""), await backend.open_database("same")
    await one.execute("CREATE TABLE t (v)")
    await asyncio.gather(*(db.execute("INSERT INTO t VALUES (1)") for db in (one, same) for _ in range(20)))
    assert (await same.query("SELECT count(*) FROM t")).rows == [[Variant("int64", 40)]]
    await backend.close()
