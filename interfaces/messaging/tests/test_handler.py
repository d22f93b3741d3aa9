"""A guest that exports `wasi:messaging/incoming-handler` is called for each message of its topics, at least once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.messaging.tests.guest_text import HANDLING, SENDER
from qwasr.errors import OptionError, ServeError
from qwasr.runtime import Runtime
from qwasr.values import Variant
from qwasr_messaging import Memory, Message, Policy, Unavailable, plugin
from qwasr_messaging.memory import MemoryOptions
from qwasr_messaging.server import Handler, _told

if TYPE_CHECKING:
    from collections.abc import Callable

    from interfaces.messaging.tests.conftest import Clock
    from qwasr_messaging import Delivery, Messaging

QUICK = {"MESSAGING_TOPICS": "in.>,other", "MESSAGING_BACKOFF_S": "0.02", "MESSAGING_MAX_DELIVERIES": "3"}


def runtime_of(backend: Any, **environ: str) -> Runtime:
    return Runtime(HANDLING, backends={"messaging": backend}, environ=QUICK | environ, plugins=[plugin])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


async def delivered(broker: Messaging) -> Delivery:
    await broker.push("queue", Message(b""))
    delivery = await broker.pop("queue", visibility_s=60)
    assert delivery is not None
    return delivery


class Seen:
    """What the handler has sent to `seen`, and dead letters."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    @classmethod
    async def of(cls, backend: Messaging) -> Seen:
        return cls(await backend.subscribe("test", ["seen", "dead-letter.>"], Policy()))

    async def next(self, wait_s: float = 5) -> Delivery:
        delivery: Delivery | None = await self._subscription.receive(wait_s=wait_s)
        assert delivery is not None, "nothing was sent"
        await delivery.ack()
        return delivery

    async def nothing(self, wait_s: float = 0.1) -> None:
        assert await self._subscription.receive(wait_s=wait_s) is None


async def test_the_handler_gets_data_metadata_and_topic(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b"data", "text/plain", (("k", "v"),)))
        assert (await seen.next()).message.metadata[:2] == (("k", "v"), ("topic", "in.a"))
        await seen.nothing()


async def test_the_handler_gets_only_its_topics(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker) as runtime:
        await runtime.start()
        for topic in ("in", "out.a", "otherwise", "dead-letter.in.a", "other"):
            await broker.publish(topic, Message(topic.encode()))
        assert {(await seen.next()).message.data, (await seen.next()).message.data} == {b"dead-letter.in.a", b"other"}
        await seen.nothing()


async def test_a_message_that_was_handled_does_not_come_again(still_broker: Messaging, clock: Clock) -> None:
    seen = await Seen.of(still_broker)
    async with runtime_of(still_broker) as runtime:
        await runtime.start()
        await still_broker.publish("in.a", Message(b"once"))
        await seen.next()
        await runtime.stop()
    clock.now_s += 1000
    group = await still_broker.subscribe(runtime.guest.name, ["in.>"], Policy())
    assert await group.receive(wait_s=0) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"?", "the handler answered other: no"),
        (b"!", "GuestTrap: "),
        (b"l", "DeadlineExceeded: "),
    ],
)
async def test_a_message_that_is_not_handled_comes_again_and_is_a_dead_letter_at_last(
    broker: Messaging, data: bytes, reason: str
) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker, QWASR_GUEST_TIMEOUT_S="0.3") as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(data, None, (("k", "v"),)))
        assert [(await seen.next()).topic for _ in range(3)] == ["seen"] * 3
        letter = await seen.next()
        assert letter.topic == "dead-letter.in.a"
        assert (letter.message.get("dead-letter-reason") or "").startswith(reason)
        await seen.nothing()


async def test_a_dead_letter_says_why_and_how_often_it_was_delivered(broker: Messaging) -> None:
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b"?", "text/plain", (("k", "v"),)))
        letter = await broker.pop("dead-letter.in.a", visibility_s=60, wait_s=5)
        assert letter is not None
        assert letter.message == Message(
            b"?",
            "text/plain",
            (
                ("k", "v"),
                ("dead-letter-reason", "the handler answered other: no"),
                ("dead-letter-deliveries", "3"),
            ),
        )


async def test_no_backtrace_and_no_data_is_in_the_reason_of_a_dead_letter(broker: Messaging) -> None:
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b"!secret"))
        letter = await broker.pop("dead-letter.in.a", visibility_s=60, wait_s=5)
        assert letter is not None
        reason = letter.message.get("dead-letter-reason") or ""
        assert "unreachable" in reason
        assert "\n" not in reason
        assert "secret" not in reason


async def test_a_request_is_answered_by_a_handler(broker: Messaging) -> None:
    async with runtime_of(broker) as runtime:
        await runtime.start()
        assert await runtime.call(None, "ask", "in.a", b"r me", True, 5000, 1) == [b"r me"]


async def test_a_reply_to_who_asked_for_none_does_nothing(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b"r"))
        await seen.next()
        await broker.publish("in.a", Message(b"next"))
        assert (await seen.next()).message.data == b"next"
        await seen.nothing()


class Counted(Memory):
    """How many are out at once, and in which order messages come."""

    def __init__(self) -> None:
        super().__init__(MemoryOptions())
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.order: list[bytes] = []

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        if topic == "seen":
            key = message.get("key") or ""
            self.order.append(message.data)
            for name in {key, ""}:
                self.now[name] = self.now.get(name, 0) + 1
                self.most[name] = max(self.most.get(name, 0), self.now[name])
            await asyncio.sleep(0.01)
            for name in {key, ""}:
                self.now[name] -= 1
        await super().publish(topic, message, **times)


async def test_as_many_messages_are_handled_at_once_as_may_be() -> None:
    broker = Counted()
    async with runtime_of(broker, MESSAGING_CONCURRENCY="3") as runtime:
        await runtime.start()
        for number in range(12):
            await broker.publish("in.a", Message(b"%d" % number))
        await until(lambda: len(broker.order) >= 12)
        assert broker.most == {"": 3}


async def test_messages_with_one_key_are_handled_one_after_another_in_their_order() -> None:
    broker = Counted()
    async with runtime_of(broker, MESSAGING_CONCURRENCY="8") as runtime:
        await runtime.start()
        for number in range(20):
            await broker.publish("in.a", Message(b"%d" % number, None, (("key", "ab"[number % 2]),)))
        await until(lambda: len(broker.order) >= 20)
        assert broker.most["a"] == broker.most["b"] == 1
        assert [data for data in broker.order if int(data) % 2 == 0] == [b"%d" % n for n in range(0, 20, 2)]
        assert [data for data in broker.order if int(data) % 2] == [b"%d" % n for n in range(1, 20, 2)]


async def test_stopping_finishes_and_acknowledges_what_is_in_flight_and_takes_nothing_new() -> None:
    broker = Counted()
    async with runtime_of(broker, MESSAGING_CONCURRENCY="2") as runtime:
        await runtime.start()
        for number in range(6):
            await broker.publish("in.a", Message(b"%d" % number))
        await until(lambda: broker.order)
        await runtime.stop()
        handled = len(broker.order)
    assert 1 <= handled < 6
    queue = broker._groups[runtime.guest.name].queue
    assert len(queue.entries) == 6 - handled, "what was handled is acknowledged"
    assert not any(entry.out for entry in queue.entries.values()), "and nothing else is out"


async def test_a_message_is_out_for_twice_the_deadline_of_its_handler() -> None:
    policies = []

    class Asked(Memory):
        async def subscribe(self, group: str, patterns: Any, policy: Policy) -> Any:
            policies.append(policy)
            return await super().subscribe(group, patterns, policy)

    async with runtime_of(Asked(), QWASR_GUEST_TIMEOUT_S="7") as runtime:
        await runtime.start()
    assert [policy.lease_s for policy in policies] == [14.0]


async def test_a_message_is_given_to_nobody_else_while_its_handler_runs_for_longer_than_the_lease(
    still_broker: Messaging, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, begun = asyncio.Event(), asyncio.Event()

    async def call(*_: object) -> None:
        begun.set()
        await may_end.wait()

    extended: list[bool] = []
    kind: Any = type(await delivered(still_broker))
    extend = kind.extend

    async def counted(delivery: Any) -> bool:
        extended.append(await extend(delivery))
        return extended[-1]

    monkeypatch.setattr(Handler, "_call", call)
    monkeypatch.setattr(kind, "extend", counted)
    async with runtime_of(still_broker, QWASR_GUEST_TIMEOUT_S="0.05") as runtime:
        await runtime.start()
        await still_broker.publish("in.a", Message(b""))
        await begun.wait()
        other = await still_broker.subscribe(runtime.guest.name, ["in.>", "other"], Policy(lease_s=0.1))
        for _ in range(5):  # each time for most of the lease, until it was renewed
            clock.now_s += 0.08
            renewed = len(extended)
            await until(lambda renewed=renewed: len(extended) > renewed + 1)  # type: ignore[misc]  # of a lambda
            assert await other.receive(wait_s=0) is None
        may_end.set()
        await runtime.stop()
    assert all(extended)
    clock.now_s += 1000
    assert await other.receive(wait_s=0) is None, "it was acknowledged"


async def test_two_runtimes_share_the_messages_of_one_group(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker) as one, runtime_of(broker) as other:
        await one.start()
        await other.start()
        for number in range(20):
            await broker.publish("in.a", Message(b"%d" % number))
        assert sorted([int((await seen.next()).message.data) for _ in range(20)]) == list(range(20))
        await seen.nothing()


async def test_each_group_gets_every_message(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    async with runtime_of(broker) as one, runtime_of(broker, MESSAGING_GROUP="second") as other:
        await one.start()
        await other.start()
        await broker.publish("in.a", Message(b"both"))
        assert [(await seen.next()).message.data for _ in range(2)] == [b"both"] * 2


async def test_a_message_and_what_its_handler_sends_are_of_one_trace(broker: Messaging) -> None:
    seen = await Seen.of(broker)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b"", None, (("traceparent", parent),)))
        assert (await seen.next()).message.get("traceparent") == parent
        await broker.publish("in.a", Message(b""))
        assert len((await seen.next()).message.get("traceparent") or "") == len(parent)


async def test_what_is_handled_is_counted(broker: Messaging) -> None:
    async with runtime_of(broker) as runtime:
        await runtime.start()
        await broker.publish("in.a", Message(b""))
        await broker.publish("in.a", Message(b"!"))
        await until(lambda: runtime.telemetry.responses.get(500, 0) >= 3)
        assert runtime.telemetry.responses == {200: 1, 500: 3}
        assert runtime.telemetry.failures == {"trap: unreachable": 3}


async def test_a_host_that_is_busy_makes_no_dead_letters() -> None:
    class Slow(Memory):
        async def publish(self, topic: str, message: Message, **times: Any) -> None:
            if topic == "seen":
                await asyncio.sleep(0.05)
            await super().publish(topic, message, **times)

    broker = Slow()
    seen = await Seen.of(broker)
    busy = {"QWASR_CONCURRENCY": "1", "QWASR_QUEUE": "1", "MESSAGING_MAX_DELIVERIES": "1"}
    async with runtime_of(broker, **busy) as runtime:
        await runtime.start()
        for number in range(8):
            await broker.publish("in.a", Message(b"%d" % number))
        found = [await seen.next() for _ in range(8)]
        assert sorted(int(one.message.data) for one in found) == list(range(8))
        assert {one.topic for one in found} == {"seen"}


class Held(Memory):
    """What the handler sends is held until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.most_held = 0
        self.may_go_on = asyncio.Event()

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        if topic == "seen":
            self.held += 1
            self.most_held = max(self.held, self.most_held)
            await self.may_go_on.wait()
            self.held -= 1
        await super().publish(topic, message, **times)

    def waiting(self, runtime: Runtime) -> list[tuple[int, int]]:
        """Return how often each message was delivered that was not handled, and by which delivery it is out."""
        return [(one.attempts, one.out) for one in self._groups[runtime.guest.name].queue.entries.values()]


async def test_a_stop_makes_no_dead_letters_of_messages_that_no_handler_has_seen() -> None:
    broker = Held()
    busy = {"QWASR_CONCURRENCY": "1", "QWASR_QUEUE": "1", "MESSAGING_MAX_DELIVERIES": "1"}
    async with runtime_of(broker, **busy) as runtime:
        await runtime.start()
        for number in range(8):
            await broker.publish("in.a", Message(b"%d" % number))
        await until(lambda: runtime.telemetry.responses.get(503, 0) >= 6)  # the others wait for the host
        stopping = asyncio.create_task(runtime.stop())
        await until(lambda: len([one for one in broker.waiting(runtime) if one == (0, 0)]) == 6)
        broker.may_go_on.set()
        await stopping
        assert broker.waiting(runtime) == [(0, 0)] * 6, "two were begun and handled"
    assert not broker._queues, "there are dead letters"


async def test_what_is_not_handled_in_time_is_told_at_the_end_and_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Held()
    with caplog.at_level(logging.WARNING, logger="qwasr.messaging"):
        async with runtime_of(broker, QWASR_SHUTDOWN_S="0.05", MESSAGING_CONCURRENCY="2") as runtime:
            await runtime.start()
            for number in range(5):
                await broker.publish("in.a", Message(b"%d" % number))
            await until(lambda: broker.held == 2)
            await runtime.stop()
    assert "2 messages were not handled in time: they come again when their lease is over" in caplog.text
    assert sorted(broker.waiting(runtime)) == [(0, 0)] * 3 + [(1, 1)] * 2


async def test_the_messages_of_all_brokers_share_the_concurrency() -> None:
    first, second = Held(), Memory()  # the handler sends to the first one, whichever its message is of
    seen = await Seen.of(first)
    backends = {"messaging": first, "messaging/other": second}
    environ = QUICK | {"MESSAGING_CONCURRENCY": "2"}
    async with Runtime(HANDLING, backends=backends, environ=environ, plugins=[plugin]) as runtime:
        await runtime.start()
        for number in range(4):
            await first.publish("in.a", Message(b"%d" % number))
            await second.publish("in.a", Message(b"%d" % (4 + number)))
        await until(lambda: first.held == 2)
        first.may_go_on.set()
        assert sorted([int((await seen.next()).message.data) for _ in range(8)]) == list(range(8))
        assert first.most_held == 2


async def test_a_long_error_of_a_handler_is_cut() -> None:
    told = _told(Variant("other", "x" * 1_000_000))
    assert told.startswith("other: xxx")
    assert len(told) == 1024


async def test_a_call_of_the_handler_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    broker = Memory()
    with caplog.at_level(logging.INFO, logger="qwasr.access"):
        async with runtime_of(broker) as runtime:
            await runtime.start()
            await broker.publish("in.a", Message(b"secret"))
            await until(lambda: caplog.records)
    assert caplog.messages[0].startswith("HANDLE in.a 200 ")
    assert "secret" not in caplog.text


async def test_a_handler_without_topics_says_which_variable_is_missing(broker: Messaging) -> None:
    async with runtime_of(broker, MESSAGING_TOPICS="") as runtime:
        with pytest.raises(ServeError, match="say in MESSAGING_TOPICS what it handles"):
            await runtime.start()


@pytest.mark.parametrize("topics", ["a b", "a.>.b", "a..b", "*a"])
async def test_a_pattern_that_is_none_is_an_error_at_the_start(broker: Messaging, topics: str) -> None:
    async with runtime_of(broker, MESSAGING_TOPICS=topics) as runtime:
        with pytest.raises(ServeError, match="is no pattern of topics"):
            await runtime.start()


async def test_a_handler_that_cannot_subscribe_everywhere_leaves_nothing_running() -> None:
    class Refusing(Memory):
        async def subscribe(self, *arguments: Any) -> Any:
            raise Unavailable("the broker is unavailable")

    backends = {"messaging": Memory(), "messaging/other": Refusing()}
    async with Runtime(HANDLING, backends=backends, environ=QUICK, plugins=[plugin]) as runtime:
        before = asyncio.all_tasks()
        with pytest.raises(ServeError, match=r"cannot subscribe to in\.>, other: the broker is unavailable"):
            await runtime.start()
        assert asyncio.all_tasks() == before


async def test_the_handler_gets_messages_of_every_broker() -> None:
    first, second = Memory(), Memory()
    seen = await Seen.of(first)
    backends = {"messaging": first, "messaging/other": second}
    async with Runtime(HANDLING, backends=backends, environ=QUICK, plugins=[plugin]) as runtime:
        await runtime.start()
        await first.publish("in.a", Message(b"1"))
        await second.publish("in.a", Message(b"2"))
        assert {(await seen.next()).message.data for _ in range(2)} == {b"1", b"2"}
        (reply,) = await second.request("in.a", Message(b"reply"), timeout_s=5)
        assert reply.data == b"reply", "it goes to where the request came from"


async def test_a_concurrency_of_nothing_is_an_error(broker: Messaging) -> None:
    async with runtime_of(broker, MESSAGING_CONCURRENCY="0") as runtime:
        with pytest.raises(OptionError, match="MESSAGING_CONCURRENCY"):
            await runtime.start()


async def test_the_line_for_the_user_names_the_topics(broker: Messaging) -> None:
    async with runtime_of(broker) as runtime:
        await runtime.start()
        assert runtime.describe_servers()[0].endswith("at the topics in.>, other")


async def test_a_guest_without_a_handler_is_served_nothing(broker: Messaging) -> None:
    async with Runtime(SENDER, backends={"messaging": broker}, environ=QUICK, plugins=[plugin]) as runtime:
        assert not runtime.has_servers


async def test_a_handler_without_messages_is_an_error() -> None:
    component = b"""(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f"))) (instance $h (export "handle" (func $f)))
      (export "wasi:messaging/incoming-handler@0.2.0-draft" (instance $h)))"""
    async with Runtime(component, environ=QUICK, plugins=[plugin]) as runtime:
        with pytest.raises(ServeError, match="imports no wasi:messaging/types"):
            await runtime.start()


async def test_a_broker_that_goes_away_is_received_from_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Memory):
        away = True

        async def subscribe(self, *arguments: Any) -> Any:
            right = await super().subscribe(*arguments)
            receive = right.receive

            async def received(**wait: Any) -> Any:
                if self.away:
                    raise Unavailable("the broker is unavailable")
                return await receive(**wait)

            right.receive = received  # type: ignore[method-assign]
            return right

    broker = Away()
    with caplog.at_level(logging.WARNING, logger="qwasr.messaging"):
        async with runtime_of(broker, MESSAGING_CONCURRENCY="4") as runtime:
            await runtime.start()
            await broker.publish("in.a", Message(b""))
            await asyncio.sleep(0.05)
            broker.away = False
            await until(lambda: runtime.telemetry.responses)
    assert caplog.text.count("messages are not received: the broker is unavailable") == 1, "once, not for each"
