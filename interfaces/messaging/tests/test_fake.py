"""The broker of tests: what a test sees of a guest's messages, and what it can make happen."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import pytest

from interfaces.messaging.tests.guest_text import HANDLING
from qwasr.testing.clock import Clock
from qwasr.testing.fakes import Call
from qwasr.values import Variant, WitError
from qwasr_messaging import InvalidTopic, MemoryOptions, Message, Unavailable
from qwasr_messaging.compliance import MessagingCompliance
from qwasr_messaging.fake import FakeMessaging, Published

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.testing import Guest

pytestmark = pytest.mark.guest(HANDLING)


class RealClock(Clock):
    """A test's clock that goes on by itself, as the rules about time want it."""

    def __call__(self) -> float:
        return time.monotonic()

    def call_at(self, when_ns: int, wake: Callable[[], object]) -> Callable[[], object]:
        return asyncio.get_running_loop().call_later(max(0, when_ns / 1e9 - self()), wake).cancel


class TestFakeMessaging(MessagingCompliance):
    bound = 100

    @pytest.fixture
    def backend(self) -> FakeMessaging:
        return FakeMessaging(RealClock(), MemoryOptions(queue=100, publish_wait_s=0.2))


async def test_what_a_guest_sends_is_seen(guest: Guest) -> None:
    await guest.call(None, "send", "orders", b"book", [("k", "v")])
    assert guest.messaging.published == [Published("orders", b"book", None, {"k": "v"})]


async def test_a_message_is_delivered_and_acknowledged(guest: Guest) -> None:
    done = await guest.messaging.deliver("orders", b"book", metadata={"k": "v"})
    assert (done.acknowledged, done.error, done.deliveries, done.replies) == (True, None, 1, [])
    assert guest.messaging.published == [Published("seen", b"book", None, {"k": "v", "topic": "orders"})]


async def test_the_error_of_a_handler_is_told(guest: Guest) -> None:
    done = await guest.messaging.deliver("orders", b"?")
    assert (done.acknowledged, done.error, done.deliveries) == (False, "the handler answered other: no", 1)


async def test_a_handler_that_traps_does_not_acknowledge(guest: Guest) -> None:
    done = await guest.messaging.deliver("orders", b"!")
    assert not done.acknowledged
    assert "unreachable" in (done.error or "")


async def test_a_message_is_delivered_again_and_is_a_dead_letter_without_waiting(guest: Guest) -> None:
    async with asyncio.timeout(5):
        done = await guest.messaging.deliver("orders", b"?", deliveries=5)
    assert (done.acknowledged, done.deliveries) == (False, 5)
    assert [letter.topic for letter in guest.messaging.dead_letters] == ["dead-letter.orders"]
    assert guest.messaging.dead_letters[0].metadata["dead-letter-deliveries"] == "5"


async def test_a_message_comes_again_when_the_clock_is_moved(guest: Guest) -> None:
    await guest.messaging.deliver("orders", b"?")
    seen = len(guest.messaging.published)
    guest.clock.advance(1)
    await guest.until(lambda: len(guest.messaging.published) > seen)


async def test_the_replies_of_a_handler_are_told(guest: Guest) -> None:
    assert (await guest.messaging.deliver("orders", b"reply")).replies == [b"reply"]


async def test_a_request_of_the_guest_gets_what_the_test_says(guest: Guest) -> None:
    guest.messaging.reply("stock", with_=[b"3", Message(b"4")])
    assert await guest.call(None, "ask", "stock", b"how many", False, 0, 0) == [b"3"]
    assert await guest.call(None, "ask", "stock", b"how many", True, 1000, 5) == [b"3", b"4"]
    assert guest.messaging.published[0] == Published("stock", b"how many")


async def test_a_request_that_the_test_does_not_answer_is_a_timeout_at_once(guest: Guest) -> None:
    with pytest.raises(WitError) as caught:
        await guest.call(None, "ask", "stock", b"", False, 0, 0)
    assert caught.value.value == Variant("timeout")


async def test_what_the_guest_sends_is_not_delivered_to_it(guest: Guest) -> None:
    await guest.messaging.deliver("orders", b"x")
    await asyncio.sleep(0.05)
    assert [one.topic for one in guest.messaging.published] == ["seen"]


@pytest.mark.guest(HANDLING, environ={"MESSAGING_TOPICS": "orders"})
async def test_what_the_guest_sends_is_delivered_to_it_where_it_says_its_topics(guest: Guest) -> None:
    await guest.call(None, "send", "orders", b"to myself", [])
    await guest.until(lambda: len(guest.messaging.published) == 2)
    assert guest.messaging.published[1].metadata["topic"] == "orders"


@pytest.mark.guest(HANDLING, environ={"MESSAGING_TOPICS": "orders"})
async def test_what_a_guest_asks_itself_is_answered(guest: Guest) -> None:
    assert await guest.call(None, "ask", "orders", b"reply", True, 5000, 1) == [b"reply"]


async def test_a_failure_can_be_had(guest: Guest) -> None:
    guest.messaging.fail(Unavailable("the broker is unavailable"), on="publish")
    with pytest.raises(WitError) as caught:
        await guest.call(None, "send", "orders", b"", [])
    assert caught.value.value == Variant("connection", "the broker is unavailable")
    await guest.call(None, "send", "orders", b"", [])


@pytest.mark.guest(HANDLING, environ={"QWASR_BACKEND_TIMEOUT_S": "0.05"})
async def test_a_broker_that_never_answers_can_be_had(guest: Guest) -> None:
    guest.messaging.delay(math.inf, on="publish")
    with pytest.raises(WitError, match="the messaging service is unavailable"):
        await guest.call(None, "send", "orders", b"", [])


async def test_calls_are_recorded(guest: Guest) -> None:
    await guest.call(None, "send", "orders", b"book", [])
    assert Call("publish", ("orders", b"book")) in guest.messaging.calls


@pytest.mark.guest(HANDLING, environ={"MESSAGING_TOPICS": "a"})
async def test_a_topic_that_the_guest_does_not_handle_is_an_error(guest: Guest) -> None:
    with pytest.raises(InvalidTopic, match="handles no messages of 'b'; see MESSAGING_TOPICS"):
        await guest.messaging.deliver("b", b"")
    await guest.messaging.deliver("a", b"")
