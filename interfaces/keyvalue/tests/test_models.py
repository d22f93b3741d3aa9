"""The embedded backends against the model, and wrong ones that it catches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interfaces.keyvalue.tests.wrong import Backend, WrongBucket
from interfaces.keyvalue.tests.wrong_rest import NeverExpires, RewritesForEver, StopsAtAMissingKey
from qwasr.sqlite import _threads
from qwasr_keyvalue import Memory, Snapshot, Sqlite, SqliteOptions, _memory, _sqlite_bucket
from qwasr_keyvalue.compliance.model import Clock, KeyValueModelCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestMemoryAgainstTheModel(KeyValueModelCompliance):
    """Memory, with pages of two keys, so that listings have many."""

    moves_time = has_revisions = True
    examples = 80
    steps = 40

    @pytest.fixture
    def backend(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(_memory, "PAGE_KEYS", 2)
        memory = Memory(clock=clock)
        yield memory
        memory.sweep(len(memory._due), clock() + 1e9)
        assert memory.used_bytes == 0
        assert memory.identifiers() == []


class TestSqliteAgainstTheModel(KeyValueModelCompliance):
    """A file, with pages of two keys, so that listings have many; expired entries are removed with every write."""

    moves_time = has_revisions = True

    @pytest.fixture
    async def backend(self, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sqlite]:
        monkeypatch.setattr(_sqlite_bucket, "PAGE_KEYS", 2)
        monkeypatch.setattr(_threads, "_SWEEP_S", 0.0)
        store = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{tmp_path}/store.db"), clock=clock)
        yield store
        await store.close()


class Revisionless(WrongBucket):
    """Compares values, as a service without revisions does; there is nothing wrong with it."""

    async def snapshot(self, key: str) -> Snapshot:
        return Snapshot(await self.right.get(key))

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        now = await self.right.snapshot(key)
        if now.value != expected.value:
            return Snapshot(now.value)
        return await self.right.swap(key, value, now)


class TestAStoreWhoseTimeIsItsOwnAgainstTheModel(KeyValueModelCompliance):
    @pytest.fixture
    def backend(self) -> Memory:
        return Backend(Revisionless)


class Comparison(KeyValueModelCompliance):
    examples = 300
    shrinks = False  # it is enough to find one


@pytest.mark.parametrize("bucket", [NeverExpires, RewritesForEver, StopsAtAMissingKey])
async def test_a_wrong_backend_is_caught(bucket: type[WrongBucket]) -> None:
    with pytest.raises(AssertionError):
        await Comparison().test_it_does_what_its_model_does(Backend(bucket), Clock())
