"""The broker in a file passes every rule, and keeps its file to itself."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from qwasr.errors import BackendError, OptionError
from qwasr_messaging import Message, Policy, QueueFull, Sqlite, SqliteOptions, Unavailable
from qwasr_messaging import _sqlite_rows as sql
from qwasr_messaging.compliance import MessagingCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


async def opened(path: Path, clock: Clock | None = None, **options: float) -> Sqlite:
    made = SqliteOptions(url=f"sqlite:///{path}", **options)  # type: ignore[arg-type]  # numbers, all of them
    return await (Sqlite.connect(made) if clock is None else Sqlite.connect(made, clock=clock))


class Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


class TestSqlite(MessagingCompliance):
    bound = 100

    @pytest.fixture
    async def backend(self, path: Path) -> AsyncIterator[Sqlite]:
        broker = await opened(path, queue=100, publish_wait_s=0.2)
        yield broker
        await broker.close()
        file = sqlite3.connect(path)
        lengths = "SELECT length, (SELECT count(*) FROM messages WHERE queue = number) FROM queues"
        assert all(counted == there for counted, there in file.execute(lengths)), "a queue's length is wrong"
        assert file.execute("SELECT count(*) FROM inboxes").fetchone() == (0,), "an inbox is left behind"
        assert file.execute("SELECT count(*) FROM replies").fetchone() == (0,), "a reply is left behind"
        empty = "SELECT count(*) FROM queues WHERE kind = 'work' AND length = 0"
        assert file.execute(empty).fetchone() == (0,), "an empty work queue is left behind"
        file.close()


class TestTwoOfOneFile(MessagingCompliance):
    """Who publishes and who receives are different objects, as in two processes."""

    bound = 100

    @pytest.fixture
    async def backend(self, path: Path) -> AsyncIterator[Sqlite]:
        one = await opened(path, queue=100, publish_wait_s=0.2)
        other = await opened(path, queue=100, publish_wait_s=0.2)
        one.subscribe = other.subscribe  # type: ignore[method-assign]
        one.pop = other.pop  # type: ignore[method-assign]
        one.reply = other.reply  # type: ignore[method-assign]
        yield one
        await one.close()
        await other.close()


async def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    broker = await opened(path)
    await broker.push("q", Message(b"x"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    await broker.close()


async def test_messages_and_groups_stay_when_the_broker_is_closed(path: Path) -> None:
    broker = await opened(path)
    await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b"published"))
    await broker.push("q", Message(b"pushed"))
    await broker.close()
    broker = await opened(path)
    await broker.publish("a", Message(b"later"))
    subscription = await broker.subscribe("g", ["a"], Policy())
    found = [await subscription.receive(wait_s=0) for _ in range(2)]
    assert [one.message.data for one in found if one] == [b"published", b"later"]
    popped = await broker.pop("q", visibility_s=60)
    assert popped is not None
    await broker.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite://host/a.db", "sqlite:///a.db?mode=ro", "file:///a"]
)
def test_a_url_that_names_no_file_is_an_error(url: str) -> None:
    with pytest.raises(OptionError, match="QWASR_MESSAGING_SQLITE_URL"):
        _ = SqliteOptions(url=url).path


async def test_a_database_of_something_else_is_refused_and_stays_as_it_is(path: Path) -> None:
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE other (a)")
    with pytest.raises(BackendError, match="something else"):
        await opened(path)
    assert file.execute("SELECT name FROM sqlite_master").fetchall() == [("other",)]
    assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    file.close()


async def test_a_check_tells_of_a_file_that_is_gone_or_replaced(path: Path) -> None:
    broker = await opened(path)
    await broker.check()
    os.rename(path, f"{path}.moved")  # noqa: PTH104 - a path's method would look like waiting for a disk
    with pytest.raises(BackendError, match="No such file"):
        await broker.check()
    sqlite3.connect(path).close()
    os.close(os.open(path, os.O_CREAT))
    with pytest.raises(BackendError, match="replaced"):
        await broker.check()
    await broker.close()


async def test_a_lock_that_another_process_holds_is_unavailable_in_time(path: Path) -> None:
    broker = await opened(path, lock_timeout_s=0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"unavailable$"):
        await asyncio.wait_for(broker.push("q", Message(b"x")), 2)
    other.execute("ROLLBACK")
    other.close()
    await broker.push("q", Message(b"x"))
    await broker.close()


async def test_a_subscription_goes_on_after_the_file_was_locked(path: Path) -> None:
    broker = await opened(path, lock_timeout_s=0.05)
    subscription = await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b"x"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await subscription.receive(wait_s=5)
    other.execute("ROLLBACK")
    other.close()
    assert await subscription.receive(wait_s=5) is not None
    await broker.close()


async def test_a_file_that_is_as_large_as_it_may_be_is_an_error_and_takes_messages_later(path: Path) -> None:
    broker = await opened(path, max_bytes=1024**2, publish_wait_s=0)
    pushes = (broker.push("q", Message(bytes(50_000))) for _ in range(60))
    results = await asyncio.gather(*pushes, return_exceptions=True)
    assert {type(result) for result in results} == {str, QueueFull}
    for _ in range(5):
        delivery = await broker.pop("q", visibility_s=60)
        assert delivery is not None
        await delivery.ack()
    await broker.push("q", Message(bytes(50_000)))
    await broker.close()


async def test_a_group_for_which_nobody_receives_is_forgotten_with_its_messages(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    broker = await opened(path, clock, forget_s=1000)
    old = await broker.subscribe("old", ["a"], Policy())
    await broker.publish("a", Message(b"x"))
    clock.now_s += 1001
    await broker.subscribe("new", ["a"], Policy())
    broker._threads._swept_s = -1000
    await broker.publish("b", Message(b"x"))
    assert "nobody receives for the group 'old': it is forgotten with 1 messages" in caplog.text
    assert await old.receive(wait_s=0) is None
    await old._stay()
    await broker.publish("a", Message(b"again"))
    delivery = await old.receive(wait_s=0)
    assert delivery is not None, "who receives for it after all makes it anew"
    await broker.close()


async def test_the_oldest_dead_letter_is_lost_where_there_are_too_many(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = await opened(path, queue=3)
    subscription = await broker.subscribe("g", ["a"], Policy(max_deliveries=1))
    for number in range(5):
        await broker.publish("a", Message(b"%d" % number))
        delivery = await subscription.receive(wait_s=0)
        assert delivery is not None
        await delivery.retry("no")
    found = [await broker.pop("dead-letter.a", visibility_s=60) for _ in range(4)]
    assert [one.message.data if one else None for one in found] == [b"2", b"3", b"4", None]
    assert caplog.text.count("the oldest of 'dead-letter.a' is lost") == 2
    await broker.close()


async def test_what_expired_is_removed_while_others_write(path: Path) -> None:
    clock = Clock()
    broker = await opened(path, clock)
    for _ in range(20):
        await broker.push("q", Message(b"x"), ttl_s=10)
    clock.now_s += 11
    broker._threads._swept_s = -1000
    await broker.push("other", Message(b"x"))
    rows = await broker._threads.read(lambda file: file.execute("SELECT count(*) FROM messages").fetchone())
    assert rows == (1,)
    await broker.close()


async def test_every_question_finds_its_rows_by_an_index(path: Path) -> None:
    broker = await opened(path)

    def plans(file: sqlite3.Connection) -> list[str]:
        questions = (sql.NEXT, sql.OUT, sql.EXPIRED, sql.RIPE, sql.GOES, sql.FOLLOWS, sql.REPLIES)
        return [str(file.execute(f"EXPLAIN QUERY PLAN {one}", (1,) * one.count("?")).fetchall()) for one in questions]

    for plan in await broker._threads.read(plans):
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    await broker.close()


async def test_a_subscription_is_closed_at_once_however_seldom_the_file_is_looked_at(path: Path) -> None:
    broker = await opened(path, poll_s=60)
    subscription = await broker.subscribe("g", ["a"], Policy())
    receiving = asyncio.create_task(subscription.receive())
    while not broker._changed:  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.001)
    async with asyncio.timeout(10):
        await subscription.close()
    assert await receiving is None
    await broker.close()


async def test_a_close_that_is_cancelled_can_be_made_again(path: Path) -> None:
    broker = await opened(path)
    subscription = await broker.subscribe("g", ["a"], Policy())
    receiving = asyncio.create_task(subscription.receive())
    await asyncio.sleep(0)
    closing = asyncio.create_task(subscription.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await subscription.close()
    assert await receiving is None
    await broker.close()


async def test_a_broker_that_is_closed_leaves_no_task_and_nobody_waiting(path: Path) -> None:
    before = asyncio.all_tasks()
    broker = await opened(path)
    subscription = await broker.subscribe("g", ["a"], Policy())
    receiving = asyncio.create_task(subscription.receive())
    await asyncio.sleep(0)
    await broker.close()
    assert await receiving is None
    assert await subscription.receive() is None
    assert asyncio.all_tasks() == before


async def test_a_receipt_of_too_many_digits_acknowledges_nothing(path: Path) -> None:
    broker = await opened(path)
    assert await broker.ack("q", f"{'9' * 30}-1") is False
    await broker.close()


async def test_a_request_waits_for_room_no_longer_than_it_waits_for_replies(path: Path) -> None:
    broker = await opened(path, queue=1, publish_wait_s=3600)
    await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b""))
    async with asyncio.timeout(10):
        with pytest.raises(QueueFull):
            await broker.request("a", Message(b""), timeout_s=0.05)
    await broker.close()


async def test_a_request_that_waited_for_room_expires_when_nobody_waits_for_it_any_more(path: Path) -> None:
    broker = await opened(path, queue=1, publish_wait_s=3600)
    subscription = await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b"first"))
    asking = asyncio.create_task(broker.request("a", Message(b"question"), timeout_s=1))
    await asyncio.sleep(0.5)
    first = await subscription.receive(wait_s=5)
    assert first is not None
    await first.ack()
    await asyncio.wait({asking})
    assert await subscription.receive(wait_s=0) is None
    await broker.close()
