"""A model of a store: a dictionary of what every entry has to be. Each embedded backend is tested against it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from qwasr_keyvalue import CounterOverflow, NotANumber, Snapshot

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_keyvalue import Bucket, KeyValue

T = TypeVar("T")

NAMES = st.sampled_from(["", "a", "a:b"])
KEYS = st.sampled_from(["", "c", "b:c", "n", "\x00", "🗝"])
VALUES = st.one_of(st.binary(max_size=8), st.sampled_from([b"0", b"41", b"-7", b"9223372036854775807"]))
TTLS_S = st.one_of(st.none(), st.integers(-1, 5))


class StoreMachine(RuleBasedStateMachine):
    """Every operation in any order, time included; a subclass sets `store`, which reads the time from `now_s`."""

    snapshots = Bundle("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.store: KeyValue
        # (bucket, key) -> (value, when it expires, a number for each write)
        self.model: dict[tuple[str, str], tuple[bytes, float, int]] = {}
        self.writes = 0

    @abstractmethod
    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what the store does to its end."""

    def open(self, name: str) -> Bucket:
        return self.done(self.store.open_bucket(name))

    def find(self, name: str, key: str) -> tuple[bytes, float, int] | None:
        entry = self.model.get((name, key))
        return None if entry is None or entry[1] <= self.now_s else entry

    def write(self, name: str, key: str, value: bytes, expires_s: float) -> None:
        self.writes += 1
        self.model[name, key] = (value, expires_s, self.writes)

    @rule(name=NAMES, key=KEYS, value=VALUES, ttl_s=TTLS_S)
    def set(self, name: str, key: str, value: bytes, ttl_s: int | None) -> None:
        self.done(self.open(name).set(key, value, ttl_s=ttl_s))
        self.write(name, key, value, math.inf if ttl_s is None else self.now_s + ttl_s)

    @rule(name=NAMES, items=st.lists(st.tuples(KEYS, VALUES), max_size=4))
    def set_many(self, name: str, items: list[tuple[str, bytes]]) -> None:
        self.done(self.open(name).set_many(items))
        for key, value in items:
            self.write(name, key, value, math.inf)

    @rule(name=NAMES, key=KEYS)
    def delete(self, name: str, key: str) -> None:
        assert self.done(self.open(name).delete(key)) is (self.find(name, key) is not None)
        self.model.pop((name, key), None)

    @rule(name=NAMES, keys=st.lists(KEYS, max_size=4))
    def delete_many(self, name: str, keys: list[str]) -> None:
        self.done(self.open(name).delete_many(keys))
        for key in keys:
            self.model.pop((name, key), None)

    @rule(name=NAMES, key=KEYS, delta=st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1])))
    def increment(self, name: str, key: str, delta: int) -> None:
        entry = self.find(name, key)
        old = b"0" if entry is None else entry[0]
        is_number = old.removeprefix(b"-").isdigit() and b"%d" % int(old) == old
        try:
            total = self.done(self.open(name).increment(key, delta))
        except NotANumber:
            assert not is_number
        except CounterOverflow:
            assert not -(2**63) <= int(old) + delta < 2**63
        else:
            assert is_number
            assert total == int(old) + delta
            self.write(name, key, b"%d" % total, math.inf if entry is None else entry[1])

    @rule(target=snapshots, name=NAMES, key=KEYS)
    def snapshot(self, name: str, key: str) -> tuple[str, str, Snapshot, int | None]:
        entry = self.find(name, key)
        snapshot = self.done(self.open(name).snapshot(key))
        assert snapshot.value == (None if entry is None else entry[0])
        return name, key, snapshot, None if entry is None else entry[2]

    @rule(target=snapshots, taken=snapshots, value=VALUES)
    def swap(self, taken: tuple[str, str, Snapshot, int | None], value: bytes) -> Any:
        name, key, snapshot, write = taken
        entry = self.find(name, key)
        now = self.done(self.open(name).swap(key, value, snapshot))
        if write == (None if entry is None else entry[2]):
            assert now is None
            self.write(name, key, value, math.inf if entry is None else entry[1])
            return multiple()
        assert now is not None
        assert now.value == (None if entry is None else entry[0])
        return name, key, now, None if entry is None else entry[2]

    @rule(name=NAMES, key=KEYS, ttl_s=TTLS_S)
    def expire(self, name: str, key: str, ttl_s: int | None) -> None:
        entry = self.find(name, key)
        assert self.done(self.open(name).expire(key, ttl_s)) is (entry is not None)
        if entry is not None:
            self.model[name, key] = (entry[0], math.inf if ttl_s is None else self.now_s + ttl_s, entry[2])

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @invariant()
    def every_entry_is_as_the_model_says(self) -> None:
        for name in ("", "a", "a:b"):
            bucket = self.open(name)
            keys = ["", "c", "b:c", "n", "\x00", "🗝"]
            entries = [self.find(name, key) for key in keys]
            assert self.done(bucket.get_many(keys)) == [None if entry is None else entry[0] for entry in entries]
            assert [self.done(bucket.exists(key)) for key in keys] == [entry is not None for entry in entries]
            assert [self.done(bucket.ttl(key)) for key in keys] == [
                e if e is None else e[1] - self.now_s for e in entries
            ]
            listed, cursor = [], None
            while True:
                page = self.done(bucket.list_keys(cursor))
                listed += page.keys
                cursor = page.cursor
                if cursor is None:
                    break
            assert sorted(listed) == sorted(key for key, entry in zip(keys, entries, strict=True) if entry is not None)
