"""wasi:keyvalue@0.2.0-draft2: store, atomics, batch.

The older `0.2.0-draft` has another shape of store and atomics; those are in `qwasr_keyvalue.draft`. The signatures are
those of the WASI proposal; semantics are told in `qwasr_keyvalue.protocol`, bounds in `qwasr_keyvalue.limits`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostInterface, HostResource
from qwasr.values import Variant, WitError
from qwasr_keyvalue._answers import host_function, swap_function
from qwasr_keyvalue.limits import check_key, check_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.protocols import Backends
    from qwasr_keyvalue import protocol
    from qwasr_keyvalue.protocol import KeyPage, KeyValue, Snapshot

__all__ = ["Atomics", "Batch", "Bucket", "BucketResource", "Cas", "Store", "StoreInterface"]

_KEYS_AT_ONCE: Final = 16  # of a batch: each value may have 2 MiB


class BucketResource(HostResource):
    """What both drafts' buckets have in common.

    Attributes:
        entries: the backend's bucket.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: protocol.Bucket) -> None:
        self.entries = entries

    @host_function
    async def get(self, key: str) -> bytes | None:
        """Return the value, `none` when there is no such key."""
        check_key(key)
        value = await self.entries.get(key)
        check_values((value,))
        return value

    @host_function
    async def set(self, key: str, value: bytes) -> None:
        """Set the value, whether the key exists or not; it does not expire."""
        check_key(key)
        check_values((value,))
        await self.entries.set(key, value)

    @host_function
    async def delete(self, key: str) -> None:
        """Delete the key if it exists."""
        check_key(key)
        await self.entries.delete(key)

    @host_function
    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        check_key(key)
        return await self.entries.exists(key)


class Bucket(BucketResource):
    """A named set of keys."""

    __slots__ = ()

    @host_function
    async def list_keys(self, cursor: str | None) -> KeyPage:
        """Return one page of keys, with the cursor of the next."""
        return await self.entries.list_keys(cursor)


class StoreInterface(HostInterface, ABC):
    """What both drafts' stores have in common.

    Attributes:
        backends: the backends of the stores.
        watch: makes a watched bucket of a backend's, with its name, where someone is told of changes.
    """

    watch: Callable[[str, protocol.Bucket], protocol.Bucket] | None = None

    def __init__(self, backends: Backends[KeyValue]) -> None:
        self.backends = backends

    async def entries(self, identifier: str, *, claim: bool = True) -> protocol.Bucket:
        """Open a bucket on the backend that is configured for its name, or on the default one.

        Args:
            identifier: its name.
            claim: see `Backends.named`.
        """
        check_key(identifier)
        entries = await self.backends.named(identifier, claim=claim).open_bucket(identifier)
        return entries if self.watch is None else self.watch(identifier, entries)

    @abstractmethod
    def bucket(self, entries: protocol.Bucket) -> BucketResource:
        """Return the guest's bucket of a backend's."""


class Store(StoreInterface, wit="wasi:keyvalue/store", resources=(Bucket,)):
    """wasi:keyvalue/store: open a bucket, then read and write its keys."""

    def bucket(self, entries: protocol.Bucket) -> Bucket:
        """Return the guest's bucket of a backend's."""
        return Bucket(entries)

    @host_function
    async def open(self, identifier: str) -> Bucket:
        """Open a bucket."""
        return self.bucket(await self.entries(identifier))


class Cas(HostResource):
    """A key as it was at one moment, to be swapped if it still is."""

    __slots__ = ("bucket", "key", "snapshot")

    def __init__(self, bucket: protocol.Bucket, key: str, snapshot: Snapshot) -> None:
        self.bucket = bucket
        self.key = key
        self.snapshot = snapshot

    @staticmethod
    @host_function
    async def new(bucket: Bucket, key: str) -> Cas:
        """Read the key and remember how it is."""
        check_key(key)
        return Cas(bucket.entries, key, await bucket.entries.snapshot(key))

    @host_function
    async def current(self) -> bytes | None:
        """Return the value that a swap will compare with, `none` for no such key."""
        check_values((self.snapshot.value,))
        return self.snapshot.value


class Atomics(HostInterface, wit="wasi:keyvalue/atomics", resources=(Cas,)):
    """wasi:keyvalue/atomics: counters and compare-and-swap."""

    def __init__(self, backends: Backends[KeyValue]) -> None:
        pass  # a bucket brings its backend with it

    @host_function
    async def increment(self, bucket: Bucket, key: str, delta: int) -> int:
        """Add to a counter and return its new value."""
        check_key(key)
        return await bucket.entries.increment(key, delta)

    @swap_function
    async def swap(self, cas: Cas, value: bytes) -> None:
        """Set the value if the key is as the handle saw it; else `cas-failed` with a handle that saw it now."""
        check_values((value,))
        now = await cas.bucket.swap(cas.key, value, cas.snapshot)
        if now is not None:
            raise WitError(Variant("cas-failed", Cas(cas.bucket, cas.key, now)))


class Batch(HostInterface, wit="wasi:keyvalue/batch"):
    """wasi:keyvalue/batch: many keys in one call; the same in both drafts.

    `get-many` has two shapes under one version: at first a missing key's whole entry was `none`, then its value alone.
    Spin's guests have the later one.
    """

    def __init__(self, backends: Backends[KeyValue]) -> None:
        self._answers_each_key = False

    def imported(self, function: str, result: str) -> None:
        """Learn which shape of `get-many` the component has."""
        if function == "get-many":
            self._answers_each_key = result.startswith("result<list<tuple<")

    @host_function
    async def get_many(
        self, bucket: BucketResource, keys: list[str]
    ) -> list[tuple[str, bytes] | None] | list[tuple[str, bytes | None]]:
        """Return each key with its value, in the order asked for, `none` for a key that does not exist."""
        for key in keys:
            check_key(key)
        values = await _values(bucket.entries, keys)
        if self._answers_each_key:
            return list(zip(keys, values, strict=True))
        return [None if value is None else (key, value) for key, value in zip(keys, values, strict=True)]

    @host_function
    async def set_many(self, bucket: BucketResource, key_values: list[tuple[str, bytes]]) -> None:
        """Set each key; when it fails, some may have been set."""
        for key, _ in key_values:
            check_key(key)
        check_values(value for _, value in key_values)
        await bucket.entries.set_many(key_values)

    @host_function
    async def delete_many(self, bucket: BucketResource, keys: list[str]) -> None:
        """Delete each key that exists; when it fails, some may have been deleted."""
        for key in keys:
            check_key(key)
        await bucket.entries.delete_many(keys)


async def _values(entries: protocol.Bucket, keys: list[str]) -> list[bytes | None]:
    """Return the values of the keys, and hold little of them when there are more than one call may carry.

    A guest can ask for any number of values of 2 MiB, or for one of them any number of times.
    """
    found: dict[str, bytes | None] = {}
    size = 0
    asked = list(dict.fromkeys(keys))
    for start in range(0, len(asked), _KEYS_AT_ONCE):
        some = asked[start : start + _KEYS_AT_ONCE]
        values = await entries.get_many(some)
        found.update(zip(some, values, strict=True))
        size = check_values(values, size)
    answer = [found[key] for key in keys]
    check_values(answer)
    return answer
