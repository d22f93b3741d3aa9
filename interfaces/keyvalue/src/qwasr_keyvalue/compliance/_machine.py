"""Operations of a store in any order, beside a dictionary of what every entry has to be; see `model`."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from qwasr_keyvalue.compliance._buckets import all_keys, fresh_name
from qwasr_keyvalue.errors import CounterOverflow, NotANumber

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_keyvalue.protocol import Bucket, KeyValue, Snapshot

__all__ = ["Clock", "StoreMachine"]

T = TypeVar("T")

_NAMES: Final = ("", "a", "a:b")
_KEYS: Final = ("", "c", "b:c", "n", "\x00", "🗝")
_HOUR_S: Final = 3600
NAMES = st.sampled_from(_NAMES)
KEYS = st.sampled_from(_KEYS)
VALUES = st.one_of(st.binary(max_size=8), st.sampled_from([b"0", b"41", b"-7", b"9223372036854775807"]))
TTLS_S = st.one_of(st.none(), st.integers(-1, 5))


class Clock:
    """The time of a backend that is compared with a model: seconds that stand still until the machine moves them."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


class StoreMachine(RuleBasedStateMachine):
    """Every operation in any order, in buckets of its own.

    Args:
        store: the backend.
        loop: where it is used.
        clock: its time; without one, time passes by itself, and nothing expires so soon that it matters.
        has_revisions: whether a swap tells a value that was set again from one that was not touched.
    """

    snapshots = Bundle("snapshots")

    def __init__(
        self, store: KeyValue, loop: asyncio.AbstractEventLoop, clock: Clock | None, *, has_revisions: bool
    ) -> None:
        super().__init__()
        # (bucket, key) -> (value, when it expires, a number for each write)
        self.model: dict[tuple[str, str], tuple[bytes, float, int]] = {}
        self.writes = 0
        self.has_clock = clock is not None
        self.has_revisions = has_revisions
        self._clock = clock or Clock()
        self._store = store
        self._loop = loop
        self._prefix = fresh_name()

    @property
    def now_s(self) -> float:
        """The time."""
        return self._clock.now_s

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what the store does to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def teardown(self) -> None:
        """Leave nothing behind for the next series."""
        for name in _NAMES:
            self.done(self.open(name).delete_many(_KEYS))

    def open(self, name: str) -> Bucket:
        """Return a bucket."""
        return self.done(self._store.open_bucket(self._prefix + name))

    def ttl_s(self, ttl_s: int | None) -> int | None:
        """Return a time to live that cannot be over by chance where time passes by itself."""
        return ttl_s if ttl_s is None or ttl_s <= 0 or self.has_clock else ttl_s * _HOUR_S

    def find(self, name: str, key: str) -> tuple[bytes, float, int] | None:
        """Return the entry as it has to be."""
        entry = self.model.get((name, key))
        return None if entry is None or entry[1] <= self.now_s else entry

    def write(self, name: str, key: str, value: bytes, expires_s: float) -> None:
        """Note what was written."""
        self.writes += 1
        self.model[name, key] = (value, expires_s, self.writes)

    @rule(name=NAMES, key=KEYS, value=VALUES, ttl_s=TTLS_S)
    def set(self, name: str, key: str, value: bytes, ttl_s: int | None) -> None:
        """Set a key, with a time to live or without."""
        ttl_s = self.ttl_s(ttl_s)
        self.done(self.open(name).set(key, value, ttl_s=ttl_s))
        self.write(name, key, value, math.inf if ttl_s is None else self.now_s + ttl_s)

    @rule(name=NAMES, items=st.lists(st.tuples(KEYS, VALUES), max_size=4))
    def set_many(self, name: str, items: list[tuple[str, bytes]]) -> None:
        """Set some keys."""
        self.done(self.open(name).set_many(items))
        for key, value in items:
            self.write(name, key, value, math.inf)

    @rule(name=NAMES, key=KEYS)
    def delete(self, name: str, key: str) -> None:
        """Delete a key."""
        assert self.done(self.open(name).delete(key)) is (self.find(name, key) is not None)
        self.model.pop((name, key), None)

    @rule(name=NAMES, keys=st.lists(KEYS, max_size=4))
    def delete_many(self, name: str, keys: list[str]) -> None:
        """Delete some keys."""
        self.done(self.open(name).delete_many(keys))
        for key in keys:
            self.model.pop((name, key), None)

    @rule(name=NAMES, key=KEYS, delta=st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1])))
    def increment(self, name: str, key: str, delta: int) -> None:
        """Add to a counter, or to what is none."""
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
        """Remember how a key is."""
        entry = self.find(name, key)
        snapshot = self.done(self.open(name).snapshot(key))
        assert snapshot.value == (None if entry is None else entry[0])
        return name, key, snapshot, None if entry is None else entry[2]

    @rule(target=snapshots, taken=snapshots, value=VALUES)
    def swap(self, taken: tuple[str, str, Snapshot, int | None], value: bytes) -> Any:
        """Swap, now or much later."""
        name, key, snapshot, write = taken
        entry = self.find(name, key)
        now = self.done(self.open(name).swap(key, value, snapshot))
        if self.has_revisions:
            same = write == (None if entry is None else entry[2])
        else:
            same = snapshot.value == (None if entry is None else entry[0])
        if same:
            assert now is None
            self.write(name, key, value, math.inf if entry is None else entry[1])
            return multiple()
        assert now is not None
        assert now.value == (None if entry is None else entry[0])
        return name, key, now, None if entry is None else entry[2]

    @rule(name=NAMES, key=KEYS, ttl_s=TTLS_S)
    def expire(self, name: str, key: str, ttl_s: int | None) -> None:
        """Set when a key expires."""
        ttl_s = self.ttl_s(ttl_s)
        entry = self.find(name, key)
        assert self.done(self.open(name).expire(key, ttl_s)) is (entry is not None)
        if entry is not None:
            self.model[name, key] = (entry[0], math.inf if ttl_s is None else self.now_s + ttl_s, entry[2])

    @precondition(lambda self: self.has_clock)
    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self._clock.now_s += seconds

    @invariant()
    def every_entry_is_as_the_model_says(self) -> None:
        """Read everything in every way."""
        for name in _NAMES:
            bucket = self.open(name)
            entries = [self.find(name, key) for key in _KEYS]
            assert self.done(bucket.get_many(_KEYS)) == [None if entry is None else entry[0] for entry in entries]
            assert [self.done(bucket.exists(key)) for key in _KEYS] == [entry is not None for entry in entries]
            for key, entry in zip(_KEYS, entries, strict=True):
                self.has_left(self.done(bucket.ttl(key)), entry)
            listed = self.done(all_keys(bucket))
            assert sorted(listed) == sorted(key for key, entry in zip(_KEYS, entries, strict=True) if entry is not None)

    def has_left(self, left_s: float | None, entry: tuple[bytes, float, int] | None) -> None:
        """Check a time to live."""
        expected_s = None if entry is None else entry[1] - self.now_s
        if self.has_clock or expected_s is None or math.isinf(expected_s):
            assert left_s == expected_s
        else:
            assert left_s is not None
            assert 0 <= expected_s + 1 - left_s < _HOUR_S / 2
