"""The embedded backends against a model, and wrong ones that the model catches."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from interfaces.keyvalue.tests.wrong import Backend, WrongBucket
from interfaces.keyvalue.tests.wrong_rest import NeverExpires, RewritesForEver, StopsAtAMissingKey
from qwasr_keyvalue import KeyValue, Memory, Snapshot, Sqlite, SqliteOptions, _memory, _sqlite_bucket
from qwasr_keyvalue.compliance.model import KeyValueMachine

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class MemoryMachine(KeyValueMachine):
    """Memory, with pages of two keys, so that listings have many."""

    has_clock, is_shared, has_revisions = True, False, True

    def __init__(self) -> None:
        self._page_keys = _memory.PAGE_KEYS
        _memory.PAGE_KEYS = 2  # type: ignore[misc]  # final for everybody else
        super().__init__()

    async def connect(self) -> KeyValue:
        self.memory = Memory(clock=lambda: self.now_s)
        return self.memory

    async def disconnect(self) -> None:
        await super().disconnect()
        _memory.PAGE_KEYS = self._page_keys  # type: ignore[misc]
        assert self.memory.used_bytes == 0

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what never waits; that memory never waits is part of what is tested."""
        try:
            coroutine.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        msg = "the embedded backend waited"
        raise AssertionError(msg)

    @invariant()
    def an_empty_store_uses_no_bytes(self) -> None:
        if not self.memory._filled:
            assert self.memory.used_bytes == 0


class SqliteMachine(KeyValueMachine):
    """A file, with pages of two keys, so that listings have many; expired entries are removed with every write."""

    has_clock, is_shared, has_revisions = True, False, True

    def __init__(self) -> None:
        self._page_keys = _sqlite_bucket.PAGE_KEYS
        _sqlite_bucket.PAGE_KEYS = 2  # type: ignore[misc]  # final for everybody else
        super().__init__()

    async def connect(self) -> KeyValue:
        self._folder = tempfile.TemporaryDirectory()
        options = SqliteOptions(url=f"sqlite:///{self._folder.name}/store.db")
        self.sqlite = await Sqlite.connect(options, clock=lambda: self.now_s)
        return self.sqlite

    async def disconnect(self) -> None:
        await super().disconnect()
        self._folder.cleanup()
        _sqlite_bucket.PAGE_KEYS = self._page_keys  # type: ignore[misc]

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if hasattr(self, "sqlite"):
            self.sqlite._threads._swept_s = -1000
        return super().done(coroutine)


TestMemoryAgainstItsModel = MemoryMachine.TestCase
TestMemoryAgainstItsModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSqliteAgainstItsModel = SqliteMachine.TestCase
TestSqliteAgainstItsModel.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


class Revisionless(WrongBucket):
    """Compares values, as a service without revisions does; there is nothing wrong with it."""

    async def snapshot(self, key: str) -> Any:
        return Snapshot(await self.right.get(key))

    async def swap(self, key: str, value: bytes, expected: Any) -> Any:
        now = await self.right.snapshot(key)
        if now.value != expected.value:
            return Snapshot(now.value)
        return await self.right.swap(key, value, now)


class SharedMachine(KeyValueMachine):
    """A store with a clock of its own, which earlier examples have used."""

    memory = Backend(Revisionless)

    async def connect(self) -> KeyValue:
        return self.memory

    async def disconnect(self) -> None: ...


TestSharedStoreAgainstItsModel = SharedMachine.TestCase
TestSharedStoreAgainstItsModel.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("bucket", [NeverExpires, RewritesForEver, StopsAtAMissingKey])
def test_a_wrong_backend_is_caught(bucket: type[WrongBucket]) -> None:
    class WrongMachine(KeyValueMachine):
        async def connect(self) -> KeyValue:
            return Backend(bucket)

    phases = [Phase.generate]  # it is enough to find one
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            WrongMachine,
            settings=settings(max_examples=500, phases=phases, deadline=None, database=None, derandomize=True),
        )
