"""Every operation of a broker in any order, side by side with a model."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from qwasr_messaging.compliance._model_queue import Kind, ModelEntry, ModelQueue
from qwasr_messaging.protocol import Message, Policy

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

    from qwasr_messaging.protocol import Delivery, Messaging, Subscription

__all__ = ["BrokerMachine", "Clock"]

T = TypeVar("T")

_ANSWER_S: Final = 30.0  # how long a call may take, in real seconds
_LEASE_S: Final = 3600.0  # so long that none is over unless a rule says so
_REQUEST_S: Final = 900.0
_FAR_S: Final = 1800.0  # what never comes where no time passes
_WORK: Final = "work"
# What each choice of patterns gets, of the topics that there are.
_PATTERNS: Final = {
    ("a.*",): {"a.x", "a.y"},
    (">",): {"a.x", "a.y", "b", "asked"},
    ("a.x", "asked"): {"a.x", "asked"},
    ("b", "*"): {"b", "asked"},
}
_TOPICS: Final = ("a.x", "a.y", "b")
_MOST: Final = {"first": 2, "second": 3}  # deliveries of a group's message
_GROUPS: Final = st.sampled_from(sorted(_MOST))
_PLACES: Final = st.sampled_from([*sorted(_MOST), _WORK])
_DELAYS: Final = st.sampled_from([(1.0, 2.0), (0.0, 4.0), (2.0, 2.0)])  # the first and the longest one, in seconds
_KINDS: Final = st.builds(
    Kind,
    key=st.sampled_from([None, "k", "k", "l"]),
    delay_s=st.sampled_from([0.0, 0.0, 2.0, 5.0]),
    ttl_s=st.sampled_from([None, 3.0, 6.0]),
)


class Clock:
    """The time of a backend that is compared with a model: seconds that stand still until the machine moves them."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


class _Held(NamedTuple):
    """A message that is out."""

    place: str
    delivery: Delivery
    lease: int  # a delivery from before the last one that was over is none any more


class _Asked:
    """A request that waits."""

    def __init__(self, answer: Future[list[Message]], wanted: int) -> None:
        self.answer = answer
        self.wanted = wanted
        self.replies: list[bytes] = []


class BrokerMachine(RuleBasedStateMachine):
    """A broker and its model.

    Args:
        broker: the broker, of which other topics, groups and queues may be in use.
        loop: the running event loop that it belongs to; the machine is in another thread.
        clock: the broker's time, if it can be moved.
    """

    held = Bundle("held")
    requests = Bundle("requests")

    def __init__(self, broker: Messaging, loop: asyncio.AbstractEventLoop, clock: Clock | None) -> None:
        super().__init__()
        self.broker = broker
        self.loop = loop
        self.moves = clock is not None
        self.clock = clock or Clock()
        self.prefix = f"model-{secrets.token_hex(8)}"
        self.numbers = itertools.count()
        self.lease = 0
        self.model = {name: ModelQueue() for name in (*_MOST, _WORK)}
        self.gets: dict[str, set[str]] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.asked: dict[int, _Asked] = {}
        self._subscribe("first", ("a.*",), (1.0, 2.0))
        self._subscribe("second", (">",), (0.0, 4.0))
        self.probe = self.done(broker.subscribe(f"{self.prefix}-probe", [self.name("asked")], Policy(lease_s=_LEASE_S)))

    # ------------------------------------------------------------------ what happens

    @rule(topic=st.sampled_from(_TOPICS), kind=_KINDS)
    def publish(self, topic: str, kind: Kind) -> None:
        """Send a message."""
        number, kind = next(self.numbers), self._possible(kind)
        message = _message(number, kind.key)
        self.done(self.broker.publish(self.name(topic), message, delay_s=kind.delay_s, ttl_s=kind.ttl_s))
        self._put_where_it_is_wanted(number, topic, kind)

    @rule(kind=_KINDS)
    def push(self, kind: Kind) -> None:
        """Put a message into a work queue."""
        number, kind = next(self.numbers), self._possible(kind)
        message = _message(number, kind.key)
        self.done(self.broker.push(self.name(_WORK), message, delay_s=kind.delay_s, ttl_s=kind.ttl_s))
        self.model[_WORK].entries.append(ModelEntry(number, _WORK, kind, self.clock()))

    @rule(name=_GROUPS, patterns=st.sampled_from(sorted(_PATTERNS)), delays_s=_DELAYS)
    def subscribe(self, name: str, patterns: tuple[str, ...], delays_s: tuple[float, float]) -> None:
        """Subscribe a group anew: what it had, and what of it is out, stays."""
        old = self.subscriptions[name]
        self._subscribe(name, patterns, delays_s)
        self.done(old.close())

    @rule(target=requests, wanted=st.integers(1, 3))
    def request(self, wanted: int) -> tuple[int, str]:
        """Ask; the request waits from then on."""
        number = next(self.numbers)
        asking = self.broker.request(self.name("asked"), _message(number), timeout_s=_REQUEST_S, replies=wanted)
        self.asked[number] = _Asked(asyncio.run_coroutine_threadsafe(asking, self.loop), wanted)
        seen = self.done(self.probe.receive(wait_s=_ANSWER_S))  # then all groups have it
        assert seen is not None, "a request does not arrive"
        assert seen.message.data == b"%d" % number
        self.done(seen.ack())
        self._put_where_it_is_wanted(number, "asked", Kind(None, 0.0, _REQUEST_S))
        assert seen.reply_to is not None, "a request says not where to reply to"
        return number, seen.reply_to

    @rule(request=requests, times=st.integers(1, 3))
    def reply(self, request: tuple[int, str], times: int) -> None:
        """Reply to a request, whose time may be over, or which may have all that it wants."""
        asking, reply_to = request
        for _ in range(times):
            number = next(self.numbers)
            self.done(self.broker.reply(reply_to, _message(number)))
            asked = self.asked.get(asking)
            if asked is None:
                continue
            asked.replies.append(b"%d" % number)
            if len(asked.replies) == asked.wanted:
                assert [reply.data for reply in asked.answer.result(_ANSWER_S)] == asked.replies
                del self.asked[asking]

    @rule(target=held, place=_PLACES, count=st.integers(1, 3))
    def receive(self, place: str, count: int) -> Any:
        """Take as many messages, if there are so many."""
        found = [self._take(place) for _ in range(count)]
        return multiple(*(_Held(place, delivery, self.lease) for delivery in found if delivery is not None))

    @rule(held=consumes(held), by_receipt=st.booleans())
    def ack(self, held: _Held, by_receipt: bool) -> None:
        """Acknowledge a message that is out."""
        if held.lease != self.lease:
            return
        by_receipt = by_receipt and held.place == _WORK
        delivery, queue = held.delivery, self.model[held.place]
        assert self.done(self.broker.ack(self.name(_WORK), delivery.receipt) if by_receipt else delivery.ack())
        queue.entries.remove(queue.of(int(delivery.message.data)))
        assert not self.done(delivery.ack())

    @rule(held=consumes(held))
    def retry(self, held: _Held) -> None:
        """Have a message come again, or be a dead letter."""
        if held.lease == self.lease:
            self._retry(held.place, held.delivery)

    @rule(place=_PLACES)
    def fail(self, place: str) -> None:
        """Take a message and have it come again at once, so that some get to their last delivery."""
        delivery = self._take(place)
        if delivery is not None:
            self._retry(place, delivery)

    @rule(held=consumes(held))
    def release(self, held: _Held) -> None:
        """Have a message as if it had not been delivered."""
        if held.lease != self.lease:
            return
        self.done(held.delivery.release())
        entry = self.model[held.place].of(int(held.delivery.message.data))
        entry.out = False
        entry.attempts -= 1
        entry.visible_s = self.clock()
        assert not self.done(held.delivery.ack())

    @rule(held=held)
    def extend(self, held: _Held) -> None:
        """Begin a lease anew."""
        if held.lease != self.lease:
            return
        entry = next((one for one in self.model[held.place].entries if one.out and self._is(one, held)), None)
        if entry is not None:
            assert self.done(held.delivery.extend())
            entry.visible_s = self.clock() + _LEASE_S

    @precondition(lambda self: self.moves)
    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.now_s += seconds

    @precondition(lambda self: self.moves)
    @rule()
    def let_all_leases_be_over(self) -> None:
        """Let so much time pass that everything that is out comes again, and no request waits any more."""
        self.clock.now_s += _LEASE_S
        self.lease += 1
        self._forget_requests()

    @invariant()
    def the_work_queue_is_as_long_as_the_model_says(self) -> None:
        """Compare the lengths."""
        assert self.done(self.broker.length(self.name(_WORK))) == len(self.model[_WORK].living(self.clock()))

    def teardown(self) -> None:
        """Let everything be delivered, and see that nothing is left but dead letters, each as it should be."""
        try:
            self._forget_requests()
            for place in self.model:
                for _ in range(3 if self.moves else 1):
                    self.clock.now_s += _LEASE_S if self.moves else 0
                    self._take_all(place)
                assert not self.moves or not self.model[place].entries
            self._compare_dead_letters()
        finally:
            for subscription in (*self.subscriptions.values(), self.probe):
                self.done(subscription.close())

    # ------------------------------------------------------------------

    def name(self, topic: str) -> str:
        """Return a topic, a pattern or a queue that nobody else uses."""
        return f"{self.prefix}.{topic}"

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have the loop run what the broker does to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_ANSWER_S)

    def _possible(self, kind: Kind) -> Kind:
        """Return what can be observed of a kind: where no time passes, what is delayed never comes."""
        if self.moves:
            return kind
        return Kind(kind.key, _FAR_S if kind.delay_s else 0.0, kind.ttl_s and _FAR_S)

    def _subscribe(self, name: str, patterns: tuple[str, ...], delays_s: tuple[float, float]) -> None:
        first_s, longest_s = delays_s if self.moves else (_FAR_S if delays_s[0] else 0.0, _FAR_S)
        policy = Policy(lease_s=_LEASE_S, max_deliveries=_MOST[name], first_delay_s=first_s, longest_delay_s=longest_s)
        wanted = [self.name(pattern) for pattern in patterns]
        self.subscriptions[name] = self.done(self.broker.subscribe(f"{self.prefix}-{name}", wanted, policy))
        self.model[name].policy = policy
        self.gets[name] = _PATTERNS[patterns]

    def _put_where_it_is_wanted(self, number: int, topic: str, kind: Kind) -> None:
        for name, topics in self.gets.items():
            if topic in topics:
                self.model[name].entries.append(ModelEntry(number, topic, kind, self.clock()))

    def _forget_requests(self) -> None:
        for asked in self.asked.values():
            asked.answer.cancel()
        self.asked.clear()

    def _is(self, entry: ModelEntry, held: _Held) -> bool:
        return (entry.number, entry.attempts) == (int(held.delivery.message.data), held.delivery.attempt)

    def _take(self, place: str) -> Delivery | None:
        may_come = {entry.number: entry for entry in self.model[place].eligible(self.clock())}
        if place == _WORK:
            delivery = self.done(self.broker.pop(self.name(_WORK), visibility_s=_LEASE_S))
        else:
            delivery = self.done(self.subscriptions[place].receive(wait_s=0))
        if delivery is None:
            assert not may_come, f"{place} gets nothing, and there are {sorted(may_come)}"
            return None
        number = int(delivery.message.data)
        assert number in may_come, f"{place} gets {number}, and there are only {sorted(may_come)}"
        entry = may_come[number]
        entry.attempts += 1
        entry.out = True
        entry.visible_s = self.clock() + _LEASE_S
        assert (delivery.attempt, delivery.topic) == (entry.attempts, self.name(entry.topic))
        assert (delivery.reply_to is None) == (entry.topic != "asked")
        return delivery

    def _retry(self, place: str, delivery: Delivery) -> None:
        self.done(delivery.retry("reason"))
        queue = self.model[place]
        entry = queue.of(int(delivery.message.data))
        if queue.is_spent(entry):
            queue.bury(entry)
        else:
            entry.out = False
            entry.visible_s = self.clock() + (queue.policy.delay_s(entry.attempts) if queue.policy else 0)
        assert not self.done(delivery.extend())

    def _take_all(self, place: str) -> None:
        queue = self.model[place]
        while (delivery := self._take(place)) is not None:
            assert self.done(delivery.ack())
            queue.entries.remove(queue.of(int(delivery.message.data)))

    def _compare_dead_letters(self) -> None:
        letters = []
        for topic in (*_TOPICS, "asked"):
            queue = f"dead-letter.{self.name(topic)}"
            while (letter := self.done(self.broker.pop(queue, visibility_s=_LEASE_S))) is not None:
                letters.append((int(letter.message.data), int(letter.message.get("dead-letter-deliveries") or 0)))
                self.done(letter.ack())
        assert sorted(letters) == sorted(letter for queue in self.model.values() for letter in queue.dead)


def _message(number: int, key: str | None = None) -> Message:
    return Message(b"%d" % number, None, () if key is None else (("key", key),))
