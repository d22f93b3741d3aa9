"""The embedded backend: entries in the memory of this process.

Nothing to install, nothing to start, and nothing stays when the process ends. Everything answers at once. The store has
a bound; when it is reached, writing is an error: a store that forgets in silence is worse than one that says no.
"""

from __future__ import annotations

import heapq
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self
from weakref import WeakValueDictionary

from qwasr.options import ConnectOptions, env
from qwasr_keyvalue._memory import MemoryBucket
from qwasr_keyvalue.errors import OutOfSpace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Memory", "MemoryOptions"]

_BUCKET_BYTES: Final = 1024  # what Python keeps for a bucket that has entries, rounded up
_FEW_NOTES: Final = 64  # below that, outdated notes are not worth a pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions(ConnectOptions):
    """How much the embedded store holds."""

    max_value_bytes: int = env(
        "QWASR_KEYVALUE_MAX_VALUE_BYTES",
        default=2 * 1024 * 1024,
        minimum=1,
        maximum=2**40,
        help="the largest value of the embedded store, bytes; guests are held to 2 MiB in any case",
    )
    max_bytes: int = env(
        "QWASR_KEYVALUE_MEMORY_BYTES",
        default=256 * 1024 * 1024,
        minimum=1,
        maximum=2**40,
        help="all entries of the embedded store together, bytes of memory",
    )


class Memory:
    """A key-value store in the memory of this process.

    Args:
        options: its bounds.
        clock: seconds that only go forward; tests pass their own.
    """

    name: ClassVar[str] = "memory"
    provides: ClassVar[tuple[str, ...]] = ("keyvalue",)
    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    Options: ClassVar[type[ConnectOptions]] = MemoryOptions
    per_process: ClassVar[bool] = True  # refused where several workers serve one component

    def __init__(self, options: MemoryOptions | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options or MemoryOptions()
        self.clock = clock
        self.next_number = itertools.count(1).__next__  # orders and revisions: never one twice
        self.used_bytes = 0
        # Guests may open any name, so a bucket stays only while someone holds it or it has entries.
        self._opened: WeakValueDictionary[str, MemoryBucket] = WeakValueDictionary()
        self._filled: dict[str, MemoryBucket] = {}
        self._due: list[tuple[float, int, MemoryBucket, str]] = []  # a heap of notes, some outdated
        self._tidy_at = _FEW_NOTES

    @classmethod
    async def connect(cls, options: MemoryOptions) -> Self:
        """Make an empty store."""
        return cls(options)

    async def check(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Forget everything."""
        for bucket in list(self._filled.values()):
            bucket.clear()
        self._due.clear()

    async def open_bucket(self, identifier: str) -> MemoryBucket:
        """Return the bucket of that name."""
        bucket = self._filled.get(identifier) or self._opened.get(identifier)
        if bucket is None:
            bucket = self._opened[identifier] = MemoryBucket(self, identifier)
        return bucket

    def identifiers(self) -> list[str]:
        """Return the names of the buckets that hold entries, some of which may have expired."""
        return list(self._filled)

    def reserve(self, more_bytes: int, now_s: float) -> None:
        """Account for bytes about to be stored.

        Raises:
            OutOfSpace: the store would hold more than it may, even without its expired entries.
        """
        if more_bytes > 0 and self.used_bytes + more_bytes > self.options.max_bytes:
            self.sweep(len(self._due), now_s)
            if self.used_bytes + more_bytes > self.options.max_bytes:
                msg = f"the store is full: it holds {self.options.max_bytes} bytes at most"
                raise OutOfSpace(msg)
        self.used_bytes += more_bytes

    def release(self, bytes_: int) -> None:
        """Account for bytes that are stored no longer."""
        self.used_bytes -= bytes_

    def keep(self, bucket: MemoryBucket, now_s: float) -> None:
        """Keep a bucket that is about to get its first entry."""
        self.reserve(_BUCKET_BYTES, now_s)
        self._filled[bucket.identifier] = bucket

    def let_go(self, bucket: MemoryBucket) -> None:
        """Keep a bucket no longer, now that its last entry is gone."""
        del self._filled[bucket.identifier]
        self._opened[bucket.identifier] = bucket
        self.release(_BUCKET_BYTES)

    def note_expiry(self, bucket: MemoryBucket, key: str, expires_s: float) -> None:
        """Note when an entry expires, so that a sweep finds it."""
        heapq.heappush(self._due, (expires_s, self.next_number(), bucket, key))
        if len(self._due) > self._tidy_at:  # a time to live set again and again leaves outdated notes behind
            self._due = [note for note in self._due if note[2].expires_at(note[3]) == note[0]]
            heapq.heapify(self._due)
            self._tidy_at = 2 * len(self._due) + _FEW_NOTES

    def sweep(self, at_most: int, now_s: float) -> None:
        """Remove some of the entries that have expired, those that did first before others."""
        while at_most > 0 and self._due and self._due[0][0] <= now_s:
            expires_s, _, bucket, key = heapq.heappop(self._due)
            if bucket.expires_at(key) == expires_s:
                bucket.remove(key)
            at_most -= 1
