"""A model of a broker: plain lists of what may be delivered. Each embedded broker is tested against it."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from qwasr_messaging import Message, Policy

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_messaging import Delivery, Messaging, Subscription

T = TypeVar("T")

LEASE_S = 1000.0  # so long that none is over unless a rule says so
GROUPS = {
    "first": (["a.*"], Policy(lease_s=LEASE_S, max_deliveries=2, first_delay_s=1, longest_delay_s=2)),
    "second": ([">"], Policy(lease_s=LEASE_S, max_deliveries=3, first_delay_s=0, longest_delay_s=4)),
}
# Key, delay and time to live: with one key either of the two. Which message of a lane goes first when another one has
# expired just then is nobody's promise.
KINDS = st.one_of(
    st.tuples(st.none(), st.sampled_from([0.0, 2.0, 5.0]), st.sampled_from([None, 3.0, 6.0])),
    st.tuples(st.just("k"), st.sampled_from([0.0, 2.0, 5.0]), st.none()),
    st.tuples(st.just("l"), st.just(0.0), st.sampled_from([None, 3.0, 6.0])),
)
Kind = tuple[str | None, float, float | None]


class Entry:
    """One message in one queue."""

    def __init__(self, number: int, topic: str, key: str | None, due_s: float, expires_s: float) -> None:
        self.number = number
        self.topic = topic
        self.lane = None if key is None else (topic, key)
        self.visible_s = due_s
        self.expires_s = expires_s
        self.attempts = 0
        self.out = False
        self.in_lane = False


class ModelQueue:
    """What a queue has to do, without any index."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy
        self.entries: list[Entry] = []
        self.active: dict[Any, Entry] = {}
        self.dead: list[tuple[int, int]] = []  # number and deliveries of dead letters

    def ripen(self, now_s: float) -> None:
        """Have messages with keys whose time has come wait for their turn."""
        new = [entry for entry in self.entries if entry.lane and not entry.in_lane and entry.visible_s <= now_s]
        for entry in sorted(new, key=lambda one: (one.visible_s, one.number)):
            entry.in_lane = True
            self.active.setdefault(entry.lane, entry)

    def put(self, entry: Entry, now_s: float) -> None:
        self.ripen(now_s)
        self.entries.append(entry)
        self.ripen(now_s)

    def finish(self, entry: Entry, now_s: float) -> None:
        self.ripen(now_s)
        self.entries.remove(entry)
        if entry.lane and self.active.get(entry.lane) is entry:
            del self.active[entry.lane]
            waiting = [one for one in self.entries if one.lane == entry.lane and one.in_lane]
            if waiting:
                self.active[entry.lane] = min(waiting, key=lambda one: one.number)

    def eligible(self, now_s: float) -> list[Entry]:
        """Return what may be delivered now, without what is dead or has expired."""
        while True:
            self.ripen(now_s)
            for entry in [one for one in self.entries if one.expires_s <= now_s]:
                if not (entry.out and entry.visible_s > now_s):
                    self.finish(entry, now_s)
            found = [
                entry
                for entry in self.entries
                if entry.visible_s <= now_s and (entry.lane is None or self.active.get(entry.lane) is entry)
            ]
            spent = [entry for entry in found if self.is_spent(entry)]
            if not spent:
                return found
            for entry in spent:
                self.dead.append((entry.number, entry.attempts))
                self.finish(entry, now_s)

    def is_spent(self, entry: Entry) -> bool:
        return self.policy is not None and entry.attempts >= self.policy.max_deliveries


class BrokerMachine(RuleBasedStateMachine):
    """Every operation in any order, time included; a subclass sets `broker`, which reads the time from `now_s`."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.numbers = itertools.count()
        self.broker: Messaging
        self.model = {name: ModelQueue(policy) for name, (_, policy) in GROUPS.items()} | {"work": ModelQueue()}
        self.subscriptions: dict[str, Subscription] = {}
        self.leases = 0  # a delivery from before the last one that was over is none any more

    @abstractmethod
    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what the broker does to its end."""

    def subscribe_all(self) -> None:
        for name, (patterns, policy) in GROUPS.items():
            self.subscriptions[name] = self.done(self.broker.subscribe(name, patterns, policy))

    @rule(topic=st.sampled_from(["a.x", "a.y", "b"]), kind=KINDS)
    def publish(self, topic: str, kind: Kind) -> None:
        number, (key, delay_s, ttl_s) = next(self.numbers), kind
        self.done(self.broker.publish(topic, message(number, key), delay_s=delay_s, ttl_s=ttl_s))
        for name in ("first", "second") if topic.startswith("a.") else ("second",):
            self.put(name, number, topic, kind)

    @rule(kind=KINDS)
    def push(self, kind: Kind) -> None:
        number, (key, delay_s, ttl_s) = next(self.numbers), kind
        self.done(self.broker.push("work", message(number, key), delay_s=delay_s, ttl_s=ttl_s))
        self.put("work", number, "work", kind)

    @rule(target=held, name=st.sampled_from(["first", "second", "work"]))
    def receive(self, name: str) -> Any:
        delivery = self.take(name)
        return multiple() if delivery is None else (name, delivery, self.leases)

    @rule(taken=consumes(held), by_receipt=st.booleans())
    def ack(self, taken: tuple[str, Delivery, int], by_receipt: bool) -> None:
        name, delivery, leases = taken
        if leases != self.leases:
            return
        by_queue = by_receipt and name == "work"
        assert self.done(self.broker.ack("work", delivery.receipt) if by_queue else delivery.ack())
        self.model[name].finish(self.entry(name, delivery), self.now_s)
        assert not self.done(delivery.ack())

    @rule(taken=consumes(held))
    def retry(self, taken: tuple[str, Delivery, int]) -> None:
        name, delivery, leases = taken
        if leases != self.leases:
            return
        self.done(delivery.retry("reason"))
        queue, entry = self.model[name], self.entry(name, delivery)
        if queue.is_spent(entry):
            queue.dead.append((entry.number, entry.attempts))
            queue.finish(entry, self.now_s)
        else:
            entry.out = False
            entry.visible_s = self.now_s + (queue.policy.delay_s(entry.attempts) if queue.policy else 0)
        assert not self.done(delivery.extend())

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule()
    def let_all_leases_be_over(self) -> None:
        self.now_s += LEASE_S
        self.leases += 1

    @invariant()
    def the_work_queue_is_as_long_as_the_model_says(self) -> None:
        entries = self.model["work"].entries
        living = [one for one in entries if one.expires_s > self.now_s or (one.out and one.visible_s > self.now_s)]
        assert self.done(self.broker.length("work")) == len(living)

    def put(self, name: str, number: int, topic: str, kind: Kind) -> None:
        key, delay_s, ttl_s = kind
        expires_s = float("inf") if ttl_s is None else self.now_s + ttl_s
        self.model[name].put(Entry(number, topic, key, self.now_s + delay_s, expires_s), self.now_s)

    def take(self, name: str) -> Delivery | None:
        may_come = {entry.number: entry for entry in self.model[name].eligible(self.now_s)}
        if name == "work":
            delivery = self.done(self.broker.pop("work", visibility_s=LEASE_S))
        else:
            delivery = self.done(self.subscriptions[name].receive(wait_s=0))
        if delivery is None:
            assert not may_come, f"{name} gets nothing, and there are {sorted(may_come)}"
            return None
        number = int(delivery.message.data)
        assert number in may_come, f"{name} gets {number}, and there are only {sorted(may_come)}"
        entry = may_come[number]
        entry.attempts += 1
        entry.out = True
        entry.visible_s = self.now_s + LEASE_S
        assert delivery.attempt == entry.attempts
        assert delivery.topic == entry.topic
        return delivery

    def entry(self, name: str, delivery: Delivery) -> Entry:
        number = int(delivery.message.data)
        return next(entry for entry in self.model[name].entries if entry.number == number)

    def finish_all(self) -> None:
        """Let everything be delivered, and see that nothing is left but dead letters, each as it should be."""
        for name in self.model:
            for _ in range(3):
                self.now_s += LEASE_S
                while (delivery := self.take(name)) is not None:
                    self.done(delivery.ack())
                    self.model[name].finish(self.entry(name, delivery), self.now_s)
            assert not self.model[name].entries
        letters = []
        for topic in ("a.x", "a.y", "b"):
            while (letter := self.done(self.broker.pop(f"dead-letter.{topic}", visibility_s=LEASE_S))) is not None:
                letters.append((int(letter.message.data), int(letter.message.get("dead-letter-deliveries") or 0)))
                self.done(letter.ack())
        assert sorted(letters) == sorted(letter for queue in self.model.values() for letter in queue.dead)
        assert self.done(self.broker.length("work")) == 0


def message(number: int, key: str | None) -> Message:
    return Message(b"%d" % number, None, () if key is None else (("key", key),))
