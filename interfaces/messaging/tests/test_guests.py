"""What a guest gets of wasi:messaging, through a component; one test of each with each embedded broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.messaging.tests.guest_text import SENDER
from qwasr.errors import ValueTooLarge
from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_messaging import Memory, Message, Policy, host, plugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interfaces.messaging.tests.conftest import Clock
    from qwasr_messaging import Messaging, Subscription


@pytest.fixture
async def runtime(broker: Any) -> AsyncIterator[Runtime]:
    async with Runtime(SENDER, backends={"messaging": broker}, environ={}, plugins=[plugin]) as runtime:
        yield runtime


@pytest.fixture
async def seen(broker: Messaging) -> Subscription:
    return await broker.subscribe("test", [">"], Policy())


async def received(subscription: Subscription) -> Message:
    delivery = await subscription.receive(wait_s=5)
    assert delivery is not None
    assert await delivery.ack()
    return delivery.message


async def test_what_a_guest_sends_arrives(runtime: Runtime, seen: Subscription) -> None:
    await runtime.call(None, "send", "orders.new", b"book", [("a", "1"), ("b", "2"), ("a", "3")])
    assert await received(seen) == Message(b"book", None, (("a", "1"), ("b", "2"), ("a", "3")))


async def test_setters_change_the_message_that_they_are_called_on(runtime: Runtime, seen: Subscription) -> None:
    await runtime.call(None, "change", b"new data")
    assert await received(seen) == Message(b"new data", "text/plain", (("a", "3"),))


async def test_a_new_message_has_no_topic_no_content_type_and_no_metadata(runtime: Runtime) -> None:
    assert await runtime.call(None, "unchanged") == 0


@pytest.mark.parametrize("topic", ["", "a b", "orders.*", ">", "a..b", ".a", "a.", "x" * 256, "a\nb", "é" * 128])
async def test_a_topic_that_is_none_is_an_error(runtime: Runtime, topic: str) -> None:
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "send", topic, b"", [])
    assert caught.value.value.case == "other"
    assert "is no topic" in caught.value.value.value


@pytest.mark.parametrize("topic", ["a", "a.b.c", "Ä.ö", "a/b:c", "x" * 255, "dead-letter.a"])
async def test_other_topics_are_sent_to(runtime: Runtime, topic: str) -> None:
    await runtime.call(None, "send", topic, b"", [])


async def test_a_message_of_2_mib_arrives_and_a_larger_one_is_an_error(runtime: Runtime, seen: Subscription) -> None:
    await runtime.call(None, "fill", "a", 2 * 1024 * 1024, 1)
    assert len((await received(seen)).data) == 2 * 1024 * 1024
    with pytest.raises(WitError, match="more than the 2097152 that are allowed"):
        await runtime.call(None, "fill", "a", 2 * 1024 * 1024 + 1, 1)


async def test_a_guest_that_holds_too_many_bytes_of_messages_is_ended(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MAX_HELD_BYTES", 64 * 1024)
    for _ in range(2):  # what was held by a call that is over does not count
        await runtime.call(None, "fill", "a", 1024, 64)
    with pytest.raises(ValueTooLarge, match="holds more than 65536 bytes"):
        await runtime.call(None, "fill", "a", 1024, 65)


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message.set_content_type("x" * 2000),
        lambda message: message.set_metadata([("k", "x" * 2000)]),
        lambda message: message.add_metadata("k", "x" * 2000),
        lambda message: message.set_metadata([("", "")] * 100),
    ],
)
def test_all_that_is_in_a_message_counts_until_it_is_dropped(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[host.Message], None]
) -> None:
    held = host._Held()
    monkeypatch.setattr(host._Held, "of_this_call", lambda: held)
    message = host.Message(bytes(100))
    change(message)
    assert held.bytes >= 2100
    message.drop()
    assert held.bytes == 0
    monkeypatch.setattr(host, "MAX_HELD_BYTES", 2000)
    with pytest.raises(ValueTooLarge, match="holds more than 2000 bytes"):
        change(host.Message(bytes(100)))


def test_a_message_that_was_received_counts_with_all_that_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    held = host._Held()
    monkeypatch.setattr(host._Held, "of_this_call", lambda: held)
    host.Message.received(Message(bytes(100), "x" * 100, (("k", "v" * 100),)))
    assert held.bytes >= 300


def test_a_content_type_has_the_bound_of_metadata() -> None:
    message = host.Message(b"")
    message.set_content_type("x" * 65536)
    with pytest.raises(ValueTooLarge, match="larger than 65536 bytes"):
        message.set_content_type("x" * 65537)
    with pytest.raises(ValueTooLarge, match="larger than 65536 bytes"):
        message.add_metadata("k", "v")
    assert message.content_type() == "x" * 65536


async def test_a_guest_with_too_much_metadata_is_ended(runtime: Runtime) -> None:
    with pytest.raises(ValueTooLarge, match="larger than 65536 bytes"):
        await runtime.call(None, "send", "a", b"", [("k", "x" * 65536)])


async def test_metadata_of_more_bytes_than_characters_is_an_error(runtime: Runtime) -> None:
    with pytest.raises(WitError, match="bytes of metadata"):
        await runtime.call(None, "send", "a", b"", [("k", "é" * 40_000)])


async def test_a_message_is_delayed_by_its_metadata_which_is_not_sent(still_broker: Any, clock: Clock) -> None:
    seen = await still_broker.subscribe("test", [">"], Policy())
    async with Runtime(SENDER, backends={"messaging": still_broker}, environ={}, plugins=[plugin]) as runtime:
        await runtime.call(None, "send", "a", b"late", [("qwasr-delay-ms", "150"), ("k", "v")])
    clock.now_s += 0.149
    assert await seen.receive(wait_s=0) is None
    clock.now_s += 0.002
    assert (await seen.receive(wait_s=0)).message == Message(b"late", None, (("k", "v"),))


async def test_a_message_expires_by_its_metadata(still_broker: Any, clock: Clock) -> None:
    seen = await still_broker.subscribe("test", [">"], Policy())
    async with Runtime(SENDER, backends={"messaging": still_broker}, environ={}, plugins=[plugin]) as runtime:
        await runtime.call(None, "send", "a", b"old", [("qwasr-ttl-ms", "30")])
        await runtime.call(None, "send", "a", b"new", [("qwasr-ttl-ms", "60000")])
    clock.now_s += 0.031
    assert (await seen.receive(wait_s=0)).message.data == b"new"


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "31536000001", "²", "1" * 100])
async def test_a_delay_that_is_no_number_is_an_error(runtime: Runtime, text: str) -> None:
    with pytest.raises(WitError, match="no number of milliseconds"):
        await runtime.call(None, "send", "a", b"", [("qwasr-delay-ms", text)])


async def test_a_request_returns_its_reply(runtime: Runtime, broker: Messaging, seen: Subscription) -> None:
    async def answer() -> None:
        delivery = await seen.receive(wait_s=5)
        assert delivery is not None
        assert delivery.reply_to is not None
        await broker.reply(delivery.reply_to, Message(b"reply to " + delivery.message.data))

    answering = asyncio.create_task(answer())
    assert await runtime.call(None, "ask", "a", b"question", False, 0, 0) == [b"reply to question"]
    await answering


async def test_a_request_waits_for_as_many_replies_as_it_expects(
    runtime: Runtime, broker: Messaging, seen: Subscription
) -> None:
    async def answer() -> None:
        delivery = await seen.receive(wait_s=5)
        assert delivery is not None
        for number in range(5):
            await broker.reply(delivery.reply_to or "", Message(b"%d" % number))

    answering = asyncio.create_task(answer())
    assert await runtime.call(None, "ask", "a", b"", True, 5000, 3) == [b"0", b"1", b"2"]
    await answering


async def test_a_request_returns_the_replies_that_came_in_time(
    runtime: Runtime, broker: Messaging, seen: Subscription
) -> None:
    async def answer() -> None:
        delivery = await seen.receive(wait_s=5)
        assert delivery is not None
        await broker.reply(delivery.reply_to or "", Message(b"one"))

    answering = asyncio.create_task(answer())
    assert await runtime.call(None, "ask", "a", b"", True, 200, 3) == [b"one"]
    await answering


async def test_a_request_without_a_reply_is_a_timeout_at_its_time(runtime: Runtime) -> None:
    with pytest.raises(WitError) as caught:
        async with asyncio.timeout(3):
            await runtime.call(None, "ask", "a", b"", True, 50, 1)
    assert caught.value.value == Variant("timeout")


async def test_a_client_that_is_disconnected_sends_nothing(runtime: Runtime) -> None:
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "connect", "")
    assert caught.value.value == Variant("other", "the client is disconnected")


async def test_a_client_that_is_not_allowed_is_denied() -> None:
    environ = {"QWASR_MESSAGING_STORES": "orders"}
    async with Runtime(SENDER, backends={"messaging": Memory()}, environ=environ, plugins=[plugin]) as runtime:
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "connect", "secret")
        assert caught.value.value.case == "permission-denied"
        assert "QWASR_MESSAGING_STORES" in caught.value.value.value


async def test_a_name_of_a_client_has_a_bound(runtime: Runtime) -> None:
    with pytest.raises(WitError, match="longer than the 1024 bytes"):
        await runtime.call(None, "connect", "x" * 1025)


async def test_a_message_that_nobody_takes_is_an_error_when_the_queue_is_full() -> None:
    environ = {"QWASR_MESSAGING_QUEUE": "2", "QWASR_MESSAGING_PUBLISH_WAIT_S": "0.05"}
    async with Runtime(SENDER, environ=environ, plugins=[plugin]) as runtime:
        types = next(one for one in runtime.guest.hosts if isinstance(one, host.Types))
        await types.backends.default.subscribe("test", [">"], Policy())
        await runtime.call(None, "send", "a", b"1", [])
        await runtime.call(None, "send", "a", b"2", [])
        with pytest.raises(WitError, match="too many messages wait"):
            await runtime.call(None, "send", "a", b"3", [])


@pytest.mark.parametrize(("broken", "case"), [("connection", "connection"), ("internal", "other")])
async def test_a_broker_that_fails_is_told_in_the_words_of_the_interface(broken: str, case: str) -> None:
    from qwasr_messaging import Unavailable

    class Broken(Memory):
        async def publish(self, topic: str, message: Message, **times: Any) -> None:
            raise Unavailable("the broker is unavailable") if broken == "connection" else RuntimeError("secret")

    async with Runtime(SENDER, backends={"messaging": Broken()}, environ={}, plugins=[plugin]) as runtime:
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "send", "a", b"", [])
    assert caught.value.value.case == case
    assert "secret" not in caught.value.value.value
