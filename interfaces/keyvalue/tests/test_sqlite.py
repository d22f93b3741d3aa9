"""The backend in a file: it keeps every rule, and the promises that are its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.errors import BackendError, OptionError
from qwasr_keyvalue import InvalidCursor, OutOfSpace, Unavailable
from qwasr_keyvalue._sqlite_bucket import _LIST
from qwasr_keyvalue.compliance import KeyValueCompliance
from qwasr_keyvalue.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Clock:
    """Unix time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def rows(file: sqlite3.Connection) -> int:
    (count,) = file.execute("SELECT count(*) FROM entries").fetchone()
    return int(count)


def fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def content(path: Path) -> bytes:
    return path.read_bytes()


def options(path: Path, **fields: Any) -> SqliteOptions:
    return SqliteOptions(url=f"sqlite:///{path}", **fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Sqlite]:
    store = await Sqlite.connect(options(path))
    yield store
    await store.close()


class TestSqlite(KeyValueCompliance):
    @pytest.fixture
    async def backend(self, store: Sqlite) -> Sqlite:
        return store


class TestSqliteThatSurvivesTheMachine(KeyValueCompliance):
    @pytest.fixture
    async def backend(self, path: Path) -> AsyncIterator[Sqlite]:
        store = await Sqlite.connect(options(path, synchronous="full"))
        yield store
        await store.close()


async def test_entries_and_their_time_to_live_are_there_after_a_restart(path: Path) -> None:
    store = await Sqlite.connect(options(path))
    bucket = await store.open_bucket("b")
    await bucket.set("key", b"value", ttl_s=100)
    await bucket.increment("counter", 41)
    await store.close()
    again = await Sqlite.connect(options(path))
    bucket = await again.open_bucket("b")
    assert await bucket.get("key") == b"value"
    left_s = await bucket.ttl("key")
    assert left_s is not None
    assert 90 < left_s <= 100
    assert await bucket.increment("counter", 1) == 42
    await again.close()


async def test_two_connections_to_one_file_count_together(path: Path, store: Sqlite) -> None:
    other = await Sqlite.connect(options(path))
    first, second = await store.open_bucket("b"), await other.open_bucket("b")
    await asyncio.gather(*(bucket.increment("counter", 1) for _ in range(200) for bucket in (first, second)))
    assert await first.get("counter") == await second.get("counter") == b"400"
    await other.close()


async def test_many_writes_at_once_are_few_transactions(path: Path) -> None:
    store = await Sqlite.connect(options(path))
    bucket = await store.open_bucket("b")
    begun = 0

    def count(statement: str) -> None:
        nonlocal begun
        begun += statement.startswith("BEGIN")

    def trace(file: sqlite3.Connection) -> None:
        file.set_trace_callback(count)

    await store._threads.write(trace)
    await asyncio.gather(*(bucket.increment("counter", 1) for _ in range(500)))
    assert begun < 250
    await store.close()


async def test_a_write_that_fails_leaves_those_of_the_same_transaction(store: Sqlite) -> None:
    bucket = await store.open_bucket("b")
    await bucket.set("text", b"text")

    def broken(_file: sqlite3.Connection) -> None:
        msg = "broken"
        raise ZeroDivisionError(msg)

    results = await asyncio.gather(
        *(bucket.increment("counter", 1) for _ in range(20)),
        bucket.increment("text", 1),
        store._threads.write(broken),
        *(bucket.increment("counter", 1) for _ in range(20)),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results if isinstance(result, Exception)] == [
        "NotANumber",
        "ZeroDivisionError",
    ]
    assert sorted(result for result in results if isinstance(result, int)) == list(range(1, 41))
    assert await bucket.get("counter") == b"40"


async def test_a_write_that_nobody_waits_for_any_more_is_not_begun(store: Sqlite) -> None:
    bucket = await store.open_bucket("b")
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_file: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    held = store._threads.write(hold)
    await began.wait()
    task = asyncio.create_task(bucket.set("key", b"value"))
    await asyncio.sleep(0)
    task.cancel()
    go_on.set()
    await held
    assert await bucket.get("key") is None


async def test_a_lock_that_another_process_holds_is_unavailable_in_time_and_used_again_after(path: Path) -> None:
    store = await Sqlite.connect(options(path, lock_timeout_s=0.1))
    bucket = await store.open_bucket("b")
    await bucket.set("key", b"old")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"unavailable$"):
        await asyncio.wait_for(bucket.set("key", b"new"), 2)
    assert await bucket.get("key") == b"old", "reading does not wait for who writes"
    other.execute("ROLLBACK")
    other.close()
    await bucket.set("key", b"new")
    await store.close()


async def test_a_file_that_is_as_large_as_it_may_be_is_an_error_and_takes_entries_after_a_delete(path: Path) -> None:
    store = await Sqlite.connect(options(path, max_bytes=1024**2))
    bucket = await store.open_bucket("b")
    writes = (bucket.set(f"key-{number}", bytes(50_000)) for number in range(100))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), OutOfSpace}
    kept = (await bucket.list_keys()).keys
    assert kept
    await bucket.delete_many(kept[:5])
    await bucket.set("other", bytes(50_000))
    assert await bucket.get("other") == bytes(50_000)
    await store.close()


async def test_a_file_full_of_expired_entries_takes_new_ones_at_once(path: Path) -> None:
    clock = Clock()
    store = await Sqlite.connect(options(path, max_bytes=1024**2), clock=clock)
    bucket = await store.open_bucket("b")
    sets = (bucket.set(f"key-{number}", bytes(500), ttl_s=10) for number in range(3000))
    results = await asyncio.gather(*sets, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), OutOfSpace}
    clock.now_s += 11
    await bucket.set("large", bytes(500_000))
    assert await bucket.get("large") == bytes(500_000)
    await store.close()


async def test_expired_entries_are_removed_as_fast_as_others_are_written(path: Path) -> None:
    clock = Clock()
    store = await Sqlite.connect(options(path), clock=clock)
    bucket = await store.open_bucket("b")
    for start in range(0, 2000, 100):
        sets = (bucket.set(f"key-{start + number}", b"value", ttl_s=10) for number in range(100))
        await asyncio.gather(*sets)
    clock.now_s += 11
    store._threads._swept_s = -1000
    for _ in range(12):
        await bucket.set("other", b"value")
    assert await store._threads.read(rows) == 1
    await store.close()


async def test_expired_entries_are_removed_while_others_are_written(path: Path) -> None:
    clock = Clock()
    store = await Sqlite.connect(options(path), clock=clock)
    bucket = await store.open_bucket("b")
    for number in range(20):
        await bucket.set(f"key-{number}", b"value", ttl_s=10)
    clock.now_s += 11
    store._threads._swept_s = -1000
    await bucket.set("other", b"value")
    assert await store._threads.read(rows) == 1
    await store.close()


async def test_a_listing_and_a_sweep_find_their_place_by_an_index(store: Sqlite) -> None:
    def plans(file: sqlite3.Connection) -> str:
        lists = file.execute(f"EXPLAIN QUERY PLAN {_LIST}", (b"b", 1, 1.0, 10)).fetchall()
        sweeps = file.execute("EXPLAIN QUERY PLAN SELECT number FROM entries WHERE expires_at <= 1").fetchall()
        return f"{lists} {sweeps}"

    plan = await store._threads.read(plans)
    assert "entries_by_bucket (bucket=? AND rowid>?)" in plan
    assert "entries_by_expiry" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 19, "9" * 400])
async def test_a_cursor_that_no_page_gave_out_is_an_error(store: Sqlite, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await (await store.open_bucket("b")).list_keys(cursor)


async def test_the_file_is_for_its_owner_alone(path: Path, store: Sqlite) -> None:
    await (await store.open_bucket("b")).set("key", b"value")
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_closing_leaves_one_file_and_finishes_what_was_begun(path: Path) -> None:
    store = await Sqlite.connect(options(path))
    bucket = await store.open_bucket("b")
    writes = [asyncio.create_task(bucket.set(f"key-{number}", b"")) for number in range(100)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    await asyncio.gather(*writes)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    text = b"no database at all, only text" * 100
    fill(path, text)
    with pytest.raises(BackendError, match="no database"):
        await Sqlite.connect(options(path))
    assert content(path) == text


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be opened"):
        await Sqlite.connect(options(tmp_path))


async def test_a_database_of_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cookies (name TEXT)")
    other.close()
    before = content(path)
    with pytest.raises(BackendError, match="something else"):
        await Sqlite.connect(options(path))
    assert content(path) == before


async def test_a_store_of_a_later_version_is_refused(path: Path) -> None:
    await (await Sqlite.connect(options(path))).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(BackendError, match="version 99"):
        await Sqlite.connect(options(path))


async def test_a_missing_folder_says_what_the_slashes_mean() -> None:
    with pytest.raises(BackendError, match=r"No such file or directory.*four"):
        await Sqlite.connect(SqliteOptions(url="sqlite:///no-such-folder/store.db"))


@pytest.mark.parametrize(
    "url",
    ["sqlite:", "sqlite://", "sqlite:///", "sqlite://host/a.db", "sqlite:///a.db?mode=ro", "file:///a.db", "a.db"],
)
def test_a_url_that_names_no_file_is_an_error(url: str) -> None:
    with pytest.raises(OptionError, match="QWASR_KEYVALUE_SQLITE_URL"):
        _ = SqliteOptions(url=url).path


def test_three_slashes_are_relative_and_four_absolute() -> None:
    assert str(SqliteOptions(url="sqlite:///a/b.db").path) == "a/b.db"
    assert str(SqliteOptions(url="sqlite:////a/b.db").path) == "/a/b.db"
    assert str(SqliteOptions(url="sqlite:///what%3F.db").path) == "what?.db"


def test_registering_the_backend_imports_no_database() -> None:
    code = "import sys, qwasr_keyvalue.plugin as p; p.qwasr_register_backends(); assert 'sqlite3' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_check_notices_that_the_file_is_gone_or_another(path: Path, store: Sqlite) -> None:
    await store.check()
    os.rename(path, path.with_name("elsewhere.db"))  # noqa: PTH104 - a test may wait
    with pytest.raises(BackendError, match="No such file"):
        await store.check()
    fill(path, b"")
    with pytest.raises(BackendError, match="replaced"):
        await store.check()


async def test_a_file_that_breaks_while_it_is_open_is_an_error_and_used_again_when_it_is_whole(store: Sqlite) -> None:
    bucket = await store.open_bucket("b")
    await bucket.set("key", b"value")

    def end_the_transaction(file: sqlite3.Connection) -> None:
        file.execute("ROLLBACK")

    def hide(file: sqlite3.Connection) -> None:
        file.execute("ALTER TABLE entries RENAME TO hidden")

    def show(file: sqlite3.Connection) -> None:
        file.execute("ALTER TABLE hidden RENAME TO entries")

    with pytest.raises(sqlite3.OperationalError):
        await store._threads.write(end_the_transaction)
    await store._threads.write(hide)
    store._threads._swept_s = float("inf")
    results = await asyncio.gather(bucket.get("key"), bucket.set("key", b"new"), return_exceptions=True)
    assert [type(result) for result in results] == [sqlite3.OperationalError] * 2
    await store._threads.write(show)
    assert await bucket.get("key") == b"value"
    await bucket.set("key", b"new")
