"""What a keyvalue backend implements.

A backend is any class that has `name`, `provides`, `schemes`, `Options`, `connect`, `check` and `close` (see
`qwasr.protocols.Backend`) and `open_bucket`::

    class Redis:
        async def open_bucket(self, identifier: str) -> Bucket: ...

Who stores entries where only this process writes needs four methods instead of thirteen: `qwasr_keyvalue.simple`.
The class `qwasr_keyvalue.compliance.KeyValueCompliance` proves a backend; each sentence below is a test there.

Rules for every bucket:

- Keys and identifiers are any Unicode text of at most 1024 bytes in UTF-8, the empty one and NUL included. Buckets
  never see each other's keys: `("a:b", "c")` and `("a", "b:c")` are two entries.
- A value is any bytes, the empty one included, and 2 MiB at least fit. No value is not the same as an empty value.
- One client reads its own writes at once. Each method is atomic, except that the `…_many` ones are atomic per key.
- No entry expires unless it was told to. `set` and `set_many` replace the value and forget an old time to live;
  `increment` and `swap` change the value and keep it.
- Every call ends within the backend's own timeout, with `Unavailable` if the service does not answer.
- A call that is cancelled, because its guest ended or its time was up, happens or does not; no other call gets its
  answer, and nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bucket", "Change", "KeyPage", "KeyValue", "Snapshot"]


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One page of a bucket's keys.

    Args:
        keys: the keys, in no particular order, each at most once.
        cursor: what the next call passes to go on; `None` after the last page.
    """

    keys: list[str]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A key's value at one moment, and what `Bucket.swap` needs to tell whether it changed since.

    Args:
        value: the value, `None` when there is no such key.
        revision: the backend's own mark of this state; a backend without revisions leaves it and compares the value.
    """

    value: bytes | None
    revision: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that someone else made: another program, or another process of this one.

    Args:
        bucket: the bucket's name.
        key: the key.
        deleted: whether the key is gone; else it was set.
    """

    bucket: str
    key: str
    deleted: bool


class Bucket(Protocol):
    """A named set of keys and their values."""

    async def get(self, key: str) -> bytes | None:
        """Return the key's value, `None` when there is no such key."""
        ...

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the key's value, and with it when it expires.

        Args:
            key: the key, made when it does not exist.
            value: the whole new value.
            ttl_s: seconds until the entry is gone, rounded up to what the service can keep; 0 or less is at once.
                `None` keeps it for ever, whatever time to live the key had before.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Delete the key; return whether it was there."""
        ...

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        ...

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return one page of keys.

        Following the cursor to its end yields every key that existed all the while exactly once, whatever else is
        written meanwhile. A page may be empty before the last one. It never loads more than a page.

        Args:
            cursor: what the page before gave; `None` for the first. Where it is a decimal number below 2⁶³, guests of
                the older draft, whose cursors are numbers, may go on with it in a later request as well.

        Raises:
            InvalidCursor: the cursor is none that a page gave out, where the backend can tell.
        """
        ...

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter and return its new value.

        A counter is an ASCII decimal number as in `qwasr_keyvalue.counters`; a missing key counts as 0.

        Args:
            key: the counter.
            delta: −2⁶³ … 2⁶³−1.

        Raises:
            NotANumber: the value is something else; it stays.
            CounterOverflow: the sum is outside of −2⁶³ … 2⁶³−1; the value stays.
        """
        ...

    async def snapshot(self, key: str) -> Snapshot:
        """Return the key's value with what `swap` needs to compare."""
        ...

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if the key is still as it was; compare and set are one atomic step.

        Args:
            key: the key that the snapshot is of.
            value: the whole new value.
            expected: what `snapshot` or a lost `swap` returned for this key. Its value `None` expects no such key.

        Returns:
            `None` when the value was set; else how the key is now, to try again.
        """
        ...

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of the keys, in their order, `None` for each that does not exist."""
        ...

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key as `set` does without a time to live; when it fails, some may have been set."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key that exists; when it fails, some may have been deleted."""
        ...

    async def ttl(self, key: str) -> float | None:
        """Return the seconds until the key expires, `math.inf` if it does not, `None` when there is no such key."""
        ...

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when an existing key expires, `None` for never, 0 or less for now; return whether it was there."""
        ...


class KeyValue(Protocol):
    """The keyvalue side of a backend.

    A backend that hears of changes which others make has one more method,
    `changes(group: str) -> AsyncIterator[Change] | None`, and guests that export `wasi:keyvalue/watcher` are told of
    them. A group is the processes that serve one component, on whatever machine; its name is the component's. What one
    of the group changed after it called this is left out for all of them, since that process tells its own guest: else
    two that watch and write would answer one another without end. Any other change is told to one of the group. It goes
    on after a lost connection, where some may be missed, and ends when the backend is closed. `None` says that nobody
    asked for it.
    """

    async def open_bucket(self, identifier: str) -> Bucket:
        """Return the bucket of that name; buckets of one name share their entries.

        Raises:
            NoSuchStore: the backend makes no buckets and has none of that name.
            AccessDenied: the service refuses it.
            Unavailable: the service does not answer.
        """
        ...
