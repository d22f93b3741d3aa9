"""The embedded broker passes every rule, and keeps its bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr_messaging import Memory, MemoryOptions, Message, Policy, QueueFull
from qwasr_messaging.compliance import MessagingCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


class TestMemory(MessagingCompliance):
    bound = 100

    @pytest.fixture
    async def backend(self) -> AsyncIterator[Memory]:
        broker = Memory(MemoryOptions(queue=100, publish_wait_s=0.2))
        yield broker
        await broker.close()
        assert broker.used_bytes == 0, "bytes are accounted for that nobody holds"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def test_the_whole_broker_has_a_bound_of_bytes() -> None:
    broker = Memory(MemoryOptions(max_bytes=100_000, publish_wait_s=0))
    await broker.subscribe("g", [">"], Policy())
    results = await asyncio.gather(
        *(broker.publish(f"topic-{number}", Message(bytes(10_000))) for number in range(20)), return_exceptions=True
    )
    assert {type(result) for result in results} == {type(None), QueueFull}
    with pytest.raises(QueueFull):
        await broker.push("queue", Message(bytes(10_000)))
    assert broker.used_bytes <= 100_000
    await broker.close()


async def test_work_queues_that_are_empty_are_forgotten() -> None:
    broker = Memory()
    for number in range(1000):
        assert await broker.pop(f"empty-{number}", visibility_s=1) is None
        await broker.push(f"queue-{number}", Message(b""))
        delivery = await broker.pop(f"queue-{number}", visibility_s=1)
        assert delivery is not None
        await (delivery.ack() if number % 2 else broker.ack(f"queue-{number}", delivery.receipt))
    assert not broker._queues
    assert broker.used_bytes == 0


async def test_a_pop_that_waits_sees_a_push_after_others_have_emptied_the_queue() -> None:
    broker = Memory()
    await broker.push("queue", Message(b"first"))
    held = await broker.pop("queue", visibility_s=60)
    assert held is not None
    waiting = asyncio.create_task(broker.pop("queue", visibility_s=60, wait_s=5))
    await asyncio.sleep(0)
    await held.ack()
    await broker.push("queue", Message(b"second"))
    delivery = await waiting
    assert delivery is not None
    assert delivery.message.data == b"second"


async def test_notes_of_messages_that_are_gone_do_not_pile_up() -> None:
    clock = Clock()
    broker = Memory(clock=clock)
    subscription = await broker.subscribe("g", [">"], Policy(lease_s=3600))
    for number in range(5000):
        await broker.publish("a", Message(b"", None, (("key", str(number % 7)),)), ttl_s=3600, delay_s=number % 2)
        clock.now_s += 1
        delivery = await subscription.receive(wait_s=0)
        if delivery is not None:
            await delivery.extend()
            await delivery.ack()
    queue = broker._groups["g"].queue
    assert len(queue.entries) <= 1
    assert len(queue._later) + len(queue._ready) + len(queue._expiries) < 500
    assert len(queue._lanes) <= 1


async def test_expired_messages_that_nobody_takes_make_room() -> None:
    clock = Clock()
    broker = Memory(MemoryOptions(queue=10, publish_wait_s=0), clock=clock)
    await broker.subscribe("g", [">"], Policy())
    for number in range(1000):
        await broker.publish("a", Message(b"", None, (("key", str(number % 3)),)), ttl_s=5)
        clock.now_s += 1
    queue = broker._groups["g"].queue
    assert len(queue.entries) <= 10
    assert sum(len(lane.waiting) for lane in queue._lanes.values()) < 100
    assert len(queue._ready) < 100


async def test_the_oldest_dead_letter_is_lost_where_there_are_too_many(caplog: pytest.LogCaptureFixture) -> None:
    broker = Memory(MemoryOptions(queue=3))
    subscription = await broker.subscribe("g", ["a"], Policy(max_deliveries=1))
    for number in range(5):
        await broker.publish("a", Message(b"%d" % number))
        delivery = await subscription.receive(wait_s=0)
        assert delivery is not None
        await delivery.retry("no")
    found = [await broker.pop("dead-letter.a", visibility_s=60) for _ in range(4)]
    assert [one.message.data if one else None for one in found] == [b"2", b"3", b"4", None]
    assert caplog.text.count("the oldest of 'dead-letter.a' is lost") == 2


async def test_a_timer_is_left_behind_by_nobody() -> None:
    broker = Memory()
    subscription = await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b""), delay_s=3600)
    assert await subscription.receive(wait_s=0.01) is None
    assert broker._groups["g"].queue._undo_timer is None


@pytest.mark.parametrize("key", [None, "k"])
async def test_many_messages_that_failed_once_and_expired_are_gone_together(key: str | None) -> None:
    clock = Clock()
    broker = Memory(clock=clock)
    subscription = await broker.subscribe("g", ["a"], Policy(first_delay_s=1))
    for number in range(2000):
        metadata = () if key is None else (("key", f"{key}{number}"),)
        await broker.publish("a", Message(b"", None, metadata), ttl_s=10)
        delivery = await subscription.receive(wait_s=0)
        assert delivery is not None
        await delivery.retry("no")
    await broker.publish("a", Message(b"last", None, (("key", "k0"),)))
    clock.now_s += 11
    last = await subscription.receive(wait_s=0)
    assert last is not None
    assert last.message.data == b"last"
    await last.ack()
    assert broker.used_bytes == 0
    assert not broker._groups["g"].queue._lanes


async def test_a_dead_letter_takes_the_place_of_no_message_that_a_group_has() -> None:
    broker = Memory(MemoryOptions(queue=2))
    letters = await broker.subscribe("letters", ["dead-letter.a"], Policy())
    subscription = await broker.subscribe("g", ["a"], Policy(max_deliveries=1))
    for number in range(2):
        await broker.publish("dead-letter.a", Message(b"%d" % number))
    out = await letters.receive(wait_s=0)
    assert out is not None
    await broker.publish("a", Message(b"dead"))
    dead = await subscription.receive(wait_s=0)
    assert dead is not None
    await dead.retry("no")
    assert await out.ack() is True
    waiting = await letters.receive(wait_s=0)
    assert waiting is not None
    assert waiting.message.data == b"1"
    assert await broker.length("dead-letter.a") == 1


async def test_a_dead_letter_for_which_a_group_has_too_few_bytes_waits_in_its_queue() -> None:
    broker = Memory(MemoryOptions(max_bytes=10_000, publish_wait_s=0))
    letters = await broker.subscribe("letters", ["dead-letter.a"], Policy())
    subscription = await broker.subscribe("g", ["a"], Policy(max_deliveries=1))
    await broker.publish("dead-letter.a", Message(bytes(4000)))
    await broker.publish("a", Message(bytes(3500)))
    dead = await subscription.receive(wait_s=0)
    assert dead is not None
    await dead.retry("é" * 1024)
    assert await broker.length("dead-letter.a") == 1
    live = await letters.receive(wait_s=0)
    assert live is not None
    assert len(live.message.data) == 4000


async def test_replies_count_among_the_bytes_of_the_broker() -> None:
    broker = Memory(MemoryOptions(max_bytes=100_000))
    subscription = await broker.subscribe("g", ["a"], Policy())
    asking = asyncio.create_task(broker.request("a", Message(b""), timeout_s=60, replies=3))
    delivery = await subscription.receive(wait_s=5)
    assert delivery is not None
    assert delivery.reply_to is not None
    await broker.reply(delivery.reply_to, Message(bytes(60_000)))
    with pytest.raises(QueueFull, match="too large to wait together"):
        await broker.reply(delivery.reply_to, Message(bytes(60_000)))
    await delivery.ack()
    assert broker.used_bytes >= 60_000
    asking.cancel()
    await asyncio.wait({asking})
    assert broker.used_bytes == 0


async def test_what_does_not_wait_is_done_at_once() -> None:
    def done(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with pytest.raises(StopIteration) as stopped:
            coroutine.send(None)
        return stopped.value.value

    broker = Memory()
    subscription = done(broker.subscribe("g", ["a"], Policy()))
    done(broker.publish("a", Message(b"x")))
    delivery = done(subscription.receive(wait_s=0))
    for call in (delivery.extend, delivery.release, delivery.ack):
        done(call())
    done(broker.push("q", Message(b"")))
    done(broker.ack("q", done(broker.pop("q", visibility_s=60)).receipt))
    done(broker.reply("nobody", Message(b"")))
    assert done(broker.length("q")) == 0


async def test_a_request_waits_for_room_no_longer_than_it_waits_for_replies() -> None:
    broker = Memory(MemoryOptions(queue=1, publish_wait_s=3600))
    await broker.subscribe("g", ["a"], Policy())
    await broker.publish("a", Message(b""))
    async with asyncio.timeout(10):
        with pytest.raises(QueueFull):
            await broker.request("a", Message(b""), timeout_s=0.05)
    await broker.close()


async def test_a_request_that_waited_for_room_expires_when_nobody_waits_for_it_any_more() -> None:
    broker = Memory(MemoryOptions(queue=1, publish_wait_s=3600))
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
