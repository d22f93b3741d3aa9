"""Tells guests that export `wasi:keyvalue/watcher` of changes in their stores.

A change is told after the backend acknowledged it to whoever made it: one call of `on-set` or `on-delete` on a fresh
instance, one after another in the order in which they were made. What the watcher itself changes in such a call is not
told. Delivery is at most once: a change is not told again when its call fails, and not at all when too many wait, when
the process ends before its turn, or when it was made by someone else and the backend does not hear of that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from qwasr.call import current_call
from qwasr.errors import BackendError, GuestError, ServeError, StoreNotAllowed
from qwasr.options import ConnectOptions, env

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwasr.call import CallInfo
    from qwasr.engine import ExportedFunction
    from qwasr.runtime import Guest
    from qwasr_keyvalue.host import StoreInterface
    from qwasr_keyvalue.protocol import Bucket, Change

__all__ = ["WatchOptions", "Watcher"]

_logger = logging.getLogger("qwasr.keyvalue")
_COMPLAIN_S: Final = 10.0  # a store that changes faster than it is told would fill the log too
_DRAFT: Final = "0.2.0-draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions(ConnectOptions):
    """How many changes may wait to be told."""

    queue: int = env(
        "QWASR_KEYVALUE_WATCH_QUEUE",
        default=1024,
        minimum=1,
        maximum=1_000_000,
        help="changes that may wait until the guest's watcher is told of them; further ones are not told",
    )
    queue_bytes: int = env(
        "QWASR_KEYVALUE_WATCH_BYTES",
        default=16 * 1024 * 1024,
        minimum=1,
        maximum=2**40,
        help="values of the changes that wait, bytes; further ones are not told",
    )


class _Told(NamedTuple):
    bucket: str
    key: str
    value: bytes | None
    read: bool = False  # the value is not known yet: someone else made the change


class _Export(NamedTuple):
    store: StoreInterface
    on_set: ExportedFunction
    on_delete: ExportedFunction


class Watcher:
    """Calls `wasi:keyvalue/watcher` of a guest.

    Args:
        options: its bounds.
    """

    export: ClassVar[str] = "wasi:keyvalue/watcher"
    drains_last: ClassVar[bool] = True  # requests that end now have made changes
    Options: ClassVar[type[ConnectOptions]] = WatchOptions

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._waiting: deque[_Told] = deque()
        self._waiting_bytes = 0
        self._there = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._calls: set[CallInfo] = set()  # of this watcher, under way
        self._tasks: list[asyncio.Task[None]] = []
        self._exports: list[_Export] = []
        self._stores: list[StoreInterface] = []
        self._lost = 0
        self._complained_s = -_COMPLAIN_S

    async def start(self, guest: Guest) -> None:
        """Begin to tell of changes."""
        from qwasr_keyvalue.host import StoreInterface

        stores = {store.wit: store for store in guest.hosts if isinstance(store, StoreInterface)}
        old = stores.get(f"wasi:keyvalue/store@{_DRAFT}")
        new = stores.get("wasi:keyvalue/store")
        if old is None or new is None:
            raise ServeError(f"{guest.name} exports {self.export} and imports no wasi:keyvalue/store to watch")
        if guest.exports(f"{self.export}@{_DRAFT}"):
            self._exports.append(_exported(guest, old, f"{self.export}@{_DRAFT}"))
        if guest.exports(f"{self.export}@{_DRAFT}2") or not self._exports:
            self._exports.append(_exported(guest, new, f"{self.export}@{_DRAFT}2"))
        self._stores = list(stores.values())
        for store in self._stores:
            store.watch = self._watched
        self._tasks.append(asyncio.create_task(self._tell_all(guest)))
        for backend in new.backends.each():
            changes: AsyncIterator[Change] | None = getattr(backend, "changes", _hears_nothing)(guest.name)
            if changes is not None:
                self._tasks.append(asyncio.create_task(self._hear(backend, changes)))

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything is told."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            _logger.warning("%d changes of keyvalue stores were not told in time", len(self._waiting))

    async def close(self) -> None:
        """Tell no more."""
        for store in self._stores:
            store.watch = None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def describe(self) -> str:
        """Return one line for the user."""
        return "the keyvalue stores that it opens"

    def _watched(self, identifier: str, entries: Bucket) -> Bucket:
        from qwasr_keyvalue._watched import WatchedBucket

        return WatchedBucket(entries, identifier, self._changed)

    def _changed(self, bucket: str, key: str, value: bytes | None) -> None:
        """Have a change told, unless the watcher itself made it."""
        try:
            if current_call() in self._calls:
                return
        except LookupError:
            pass  # made by Python, not by a guest: told
        self._put(_Told(bucket, key, value))

    def _put(self, told: _Told) -> None:
        size = len(told.value or b"")
        if len(self._waiting) >= self._options.queue or self._waiting_bytes + size > self._options.queue_bytes:
            self._lose()
            return
        self._waiting.append(told)
        self._waiting_bytes += size
        self._idle.clear()
        self._there.set()

    def _lose(self) -> None:
        self._lost += 1
        now_s = time.monotonic()
        if now_s - self._complained_s >= _COMPLAIN_S:
            self._complained_s = now_s
            _logger.warning(
                "stores change faster than the watcher is told: %d changes are not told so far "
                "(QWASR_KEYVALUE_WATCH_QUEUE, QWASR_KEYVALUE_WATCH_BYTES)",
                self._lost,
            )

    async def _tell_all(self, guest: Guest) -> None:
        while True:
            while self._waiting:
                told = self._waiting.popleft()
                self._waiting_bytes -= len(told.value or b"")
                for export in self._exports:
                    await self._tell(guest, export, told)
            self._idle.set()
            self._there.clear()
            await self._there.wait()

    async def _tell(self, guest: Guest, export: _Export, told: _Told) -> None:
        from qwasr.runtime import log_guest_error

        try:
            async with asyncio.timeout(guest.backend_timeout_s):
                entries = await export.store.entries(told.bucket, claim=False)
                value = await entries.get(told.key) if told.read else told.value
        except Exception as error:  # noqa: BLE001 - a client library raises what it likes
            _logger.warning("a change of a keyvalue store is not told: %s", type(error).__name__)
            return
        if value is None and told.read:
            return  # it is gone again
        call = guest.call()
        try:
            async with call:
                self._calls.add(call)
                bucket = export.store.bucket(entries)
                if value is None:
                    await call.invoke(export.on_delete, bucket, told.key)
                else:
                    await call.invoke(export.on_set, bucket, told.key, value)
        except GuestError as error:
            log_guest_error(call.id, error)
        except Exception:
            _logger.exception("a change of a keyvalue store is not told", extra={"call": call.id})
        finally:
            self._calls.discard(call)

    async def _hear(self, backend: Any, changes: AsyncIterator[Change]) -> None:
        """Have the changes told that others make in a backend."""
        store = self._exports[0].store
        try:
            async for change in changes:
                try:
                    serves = store.backends.named(change.bucket, claim=False) is backend
                except (StoreNotAllowed, BackendError):
                    continue  # no guest could open it
                if serves:
                    self._put(_Told(change.bucket, change.key, None, read=not change.deleted))
        except Exception:
            _logger.exception("changes that others make in %s are not told any more", backend.name)


def _exported(guest: Guest, store: StoreInterface, export: str) -> _Export:
    return _Export(store, guest.function(export, "on-set"), guest.function(export, "on-delete"))


def _hears_nothing(_group: str) -> None:
    return None
