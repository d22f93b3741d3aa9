"""Rules for a backend that hears of changes which others make.

::

    class TestChanges(KeyValueChangesCompliance):
        @pytest.fixture
        async def backends(self, service):       # three, connected to one service
            backends = [await MyBackend.connect(MyOptions(url=service.url)) for _ in range(3)]
            yield backends
            for backend in backends:
                await backend.close()

        @pytest.fixture
        def cut(self, service):                  # ends the connections of the first one; it may be left out
            return service.cut_connections
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from qwasr_keyvalue.compliance._buckets import fresh_name
from qwasr_keyvalue.protocol import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from qwasr_keyvalue.protocol import Bucket

__all__ = ["ChangesRules", "KeyValueChangesCompliance"]

_WAIT_S: Final = 20.0
_POLL_S: Final = 0.02


class _Group:
    """What the processes of one group hear."""

    def __init__(self, *backends: Any) -> None:
        name = fresh_name()
        self.heard: list[Change] = []
        self.tasks = [asyncio.create_task(self._hear(backend.changes(name))) for backend in backends]

    async def _hear(self, changes: AsyncIterator[Change] | None) -> None:
        assert changes is not None, "nobody listens"
        async for change in changes:
            self.heard.append(change)

    async def hears(self, bucket: Bucket, name: str) -> None:
        """Have a stranger set a key of the bucket of that name until it is heard: what came before it came, too."""
        mark = fresh_name()
        async with asyncio.timeout(_WAIT_S):
            while Change(name, mark, deleted=False) not in self.heard:
                for task in self.tasks:
                    if task.done():
                        task.result()
                await bucket.set(mark, b"")
                await asyncio.sleep(_POLL_S)

    def of(self, name: str, key: str) -> list[Change]:
        """Return what was heard of a key, in its order."""
        return [change for change in self.heard if (change.bucket, change.key) == (name, key)]


@asynccontextmanager
async def _listening(*backends: Any) -> AsyncIterator[_Group]:
    group = _Group(*backends)
    try:
        yield group
    finally:
        for task in group.tasks:
            task.cancel()
        await asyncio.gather(*group.tasks, return_exceptions=True)


class ChangesRules:
    """What holds for `changes`."""

    async def test_what_somebody_else_sets_and_deletes_is_heard(self, backends: Sequence[Any]) -> None:
        backend, _, stranger = backends
        name = fresh_name()
        bucket = await stranger.open_bucket(name)
        async with _listening(backend) as group:
            await group.hears(bucket, name)
            await bucket.set("🗝 a:b*", b"value")
            await bucket.delete("🗝 a:b*")
            await bucket.increment("counter", 1)
            await bucket.set_many([("batch", b"")])
            await group.hears(bucket, name)
            told = [Change(name, "🗝 a:b*", deleted=deleted) for deleted in (False, True)]
            assert group.of(name, "🗝 a:b*") == told, "of one key"
            for key in ("counter", "batch"):
                assert group.of(name, key) == [Change(name, key, deleted=False)], key

    async def test_what_is_changed_through_the_same_backend_is_not_heard(self, backends: Sequence[Any]) -> None:
        backend, _, stranger = backends
        await self._is_not_heard([backend], backend, stranger)

    async def test_what_another_of_the_group_changes_is_not_heard(self, backends: Sequence[Any]) -> None:
        backend, another, stranger = backends
        await self._is_not_heard([backend, another], another, stranger)
        await self._is_not_heard([another, backend], another, stranger)

    async def test_what_fails_hides_nothing(self, backends: Sequence[Any]) -> None:
        backend, _, stranger = backends
        name = fresh_name()
        own, theirs = await backend.open_bucket(name), await stranger.open_bucket(name)
        async with _listening(backend) as group:
            await group.hears(theirs, name)
            await own.set("key", b"text")
            await own.delete("missing")
            with pytest.raises(Exception, match="number"):
                await own.increment("key", 1)
            assert await own.swap("key", b"", await own.snapshot("missing")) is not None
            await theirs.set("key", b"theirs")
            await theirs.set("missing", b"theirs")
            await group.hears(theirs, name)
            assert group.of(name, "key") == [Change(name, "key", deleted=False)]
            assert group.of(name, "missing") == [Change(name, "missing", deleted=False)]

    async def test_each_change_is_heard_by_one_of_the_group(self, backends: Sequence[Any]) -> None:
        backend, another, stranger = backends
        name = fresh_name()
        bucket = await stranger.open_bucket(name)
        async with _listening(backend, another) as group:
            await group.hears(bucket, name)
            for number in range(20):
                await bucket.set(f"key-{number}", b"")
            await group.hears(bucket, name)
            for number in range(20):
                assert len(group.of(name, f"key-{number}")) == 1, "heard by none, or by more than one"

    async def test_another_group_hears_of_it(self, backends: Sequence[Any]) -> None:
        backend, another, stranger = backends
        name = fresh_name()
        async with _listening(backend) as group, _listening(another) as other_group:
            bucket = await stranger.open_bucket(name)
            await group.hears(bucket, name)
            await other_group.hears(bucket, name)
            await (await another.open_bucket(name)).set("key", b"")
            await group.hears(bucket, name)
            await other_group.hears(bucket, name)
            assert group.of(name, "key") == [Change(name, "key", deleted=False)]
            assert other_group.of(name, "key") == []

    async def test_listening_goes_on_when_the_connection_was_lost(
        self, backends: Sequence[Any], cut: Callable[[], Awaitable[None]]
    ) -> None:
        backend, _, stranger = backends
        name = fresh_name()
        bucket = await stranger.open_bucket(name)
        async with _listening(backend) as group:
            await group.hears(bucket, name)
            await cut()
            await group.hears(bucket, name)

    async def test_another_of_the_group_goes_on_when_one_has_ended(self, backends: Sequence[Any]) -> None:
        backend, another, stranger = backends
        name = fresh_name()
        bucket = await stranger.open_bucket(name)
        async with _listening(backend, another) as group:
            await group.hears(bucket, name)
            for task in list(group.tasks):
                group.tasks.remove(task)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                if group.tasks:
                    await group.hears(bucket, name)

    async def test_listening_ends_when_the_backend_is_closed(self, backends: Sequence[Any]) -> None:
        backend, _, stranger = backends
        name = fresh_name()
        async with _listening(backend) as group:
            await group.hears(await stranger.open_bucket(name), name)
            await backend.close()
            done, _ = await asyncio.wait(group.tasks, timeout=_WAIT_S)
            assert done, "it still listens"

    async def _is_not_heard(self, listening: Sequence[Any], by: Any, stranger: Any) -> None:
        name = fresh_name()
        own, theirs = await by.open_bucket(name), await stranger.open_bucket(name)
        async with _listening(*listening) as group:
            await group.hears(theirs, name)
            await own.set("key", b"1", ttl_s=1000)
            await own.increment("key", 1)
            await own.swap("key", b"3", await own.snapshot("key"))
            await own.set_many([("key", b"4"), ("other", b""), ("key", b"5")])
            await own.delete_many(["key", "missing", "other"])
            await own.set("key", b"6")
            await own.expire("key", 0)
            await own.set("key", b"7")
            await own.delete("key")
            await group.hears(theirs, name)
            assert group.of(name, "key") == []
            assert group.of(name, "other") == []


class KeyValueChangesCompliance(ChangesRules):
    """Every rule for a backend that hears of changes; a subclass overrides the fixture `backends`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backends(self) -> Sequence[Any]:
        """Return three backends of one service; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backends`; see {__name__}"
        raise TypeError(msg)

    @pytest.fixture
    def cut(self) -> Callable[[], Awaitable[None]]:
        """Return what ends the connections of the first backend."""
        pytest.skip("the connections cannot be ended")
