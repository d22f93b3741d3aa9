"""wasi:keyvalue@0.2.0-draft: the older shape of store and atomics; batch is the same in both.

It differs from draft2 in three things: cursors are numbers, `increment` counts in `u64`, and there is no
compare-and-swap. Counters are the same entries for guests of both drafts, so they stay in the range of draft2's `s64`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface
from qwasr_keyvalue._answers import host_function
from qwasr_keyvalue.counters import COUNTER_MAX
from qwasr_keyvalue.errors import CounterOverflow, InvalidCursor
from qwasr_keyvalue.host import BucketResource, StoreInterface
from qwasr_keyvalue.limits import check_key

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_keyvalue import protocol
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["Atomics", "Bucket", "Cursors", "KeyResponse", "Store"]

_REMEMBERED_FROM = 2**63  # numbers from here on stand for remembered cursors
_MAX_REMEMBERED = 4096
_U64_DIGITS = 20


@dataclass(frozen=True, slots=True)
class KeyResponse:
    """One page of keys, with the number that asks for the next."""

    keys: list[str]
    cursor: int | None


class Cursors:
    """A backend's cursors, which are text, as the numbers that this draft has.

    A cursor that is a number below 2⁶³ stands for itself, in every process and for ever. Others are remembered here,
    the latest 4096 of them.
    """

    def __init__(self) -> None:
        self._remembered: dict[int, str] = {}

    def number(self, cursor: str | None) -> int | None:
        """Return the number of a backend's cursor."""
        if cursor is None:
            return None
        if cursor.isascii() and cursor.isdigit():
            number = int(cursor[:_U64_DIGITS])
            if str(number) == cursor and number < _REMEMBERED_FROM:
                return number
        if len(self._remembered) >= _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]  # the oldest: dicts keep their order
        number = _REMEMBERED_FROM + secrets.randbelow(_REMEMBERED_FROM)
        self._remembered[number] = cursor
        return number

    def text(self, number: int | None) -> str | None:
        """Return the backend's cursor that a number stands for.

        Raises:
            InvalidCursor: the number was never given out, or too long ago.
        """
        if number is None:
            return None
        if number < _REMEMBERED_FROM:
            return str(number)
        try:
            return self._remembered[number]
        except KeyError:
            msg = "the cursor is unknown or too old; list from the beginning"
            raise InvalidCursor(msg) from None


class Bucket(BucketResource):
    """A named set of keys."""

    __slots__ = ("_cursors",)

    def __init__(self, entries: protocol.Bucket, cursors: Cursors) -> None:
        super().__init__(entries)
        self._cursors = cursors

    @host_function
    async def list_keys(self, cursor: int | None) -> KeyResponse:
        """Return one page of keys, with the cursor of the next."""
        page = await self.entries.list_keys(self._cursors.text(cursor))
        return KeyResponse(page.keys, self._cursors.number(page.cursor))


class Store(StoreInterface, wit="wasi:keyvalue/store@0.2.0-draft", resources=(Bucket,)):
    """wasi:keyvalue/store@0.2.0-draft: open a bucket, then read and write its keys."""

    def __init__(self, backends: Backends[KeyValue]) -> None:
        super().__init__(backends)
        self._cursors = Cursors()

    def bucket(self, entries: protocol.Bucket) -> Bucket:
        """Return the guest's bucket of a backend's."""
        return Bucket(entries, self._cursors)

    @host_function
    async def open(self, identifier: str) -> Bucket:
        """Open a bucket."""
        return self.bucket(await self.entries(identifier))


class Atomics(HostInterface, wit="wasi:keyvalue/atomics@0.2.0-draft"):
    """wasi:keyvalue/atomics@0.2.0-draft: counters."""

    def __init__(self, backends: Backends[KeyValue]) -> None:
        pass  # a bucket brings its backend with it

    @host_function
    async def increment(self, bucket: Bucket, key: str, delta: int) -> int:
        """Add to a counter and return its new value, which has to be from 0 to 2⁶³−1."""
        check_key(key)
        if delta > COUNTER_MAX:
            msg = "the increment would overflow the counter (64 bits, signed)"
            raise CounterOverflow(msg)
        total = await bucket.entries.increment(key, delta)
        if total < 0:  # only where a draft2 guest counted down
            await bucket.entries.increment(key, -delta)
            msg = "the counter is negative, which this draft of the interface cannot say"
            raise CounterOverflow(msg)
        return total
