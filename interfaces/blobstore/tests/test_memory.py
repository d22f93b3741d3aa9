"""The store in memory."""

from __future__ import annotations

import pytest

from qwasr_blobstore import Memory, MemoryOptions, ObjectId, OutOfSpace
from qwasr_blobstore.compliance import BlobstoreCompliance
from qwasr_blobstore.compliance._stored import get, pattern, put
from qwasr_blobstore.compliance.model import ModelRules


class TestMemory(BlobstoreCompliance):
    times_in_memory = 1
    model_examples = 40

    @pytest.fixture
    def backend(self) -> Memory:
        return Memory()

    @pytest.fixture
    def cramped(self) -> Memory:
        return Memory(MemoryOptions(max_bytes=4 * 1024 * 1024))


class TestMemoryInPagesOfTwo(ModelRules):
    """So that the model's listings have many pages."""

    @pytest.fixture
    def backend(self, monkeypatch: pytest.MonkeyPatch) -> Memory:
        monkeypatch.setattr("qwasr_blobstore.memory.PAGE_NAMES", 2)
        return Memory()


async def test_a_write_above_the_bound_is_an_error_and_gives_its_room_back() -> None:
    store = Memory(MemoryOptions(max_bytes=2000))
    container = await store.create_container("c")
    await put(container, "old", bytes(500))
    before = store.used_bytes
    with pytest.raises(OutOfSpace, match="QWASR_BLOBSTORE_MEMORY_BYTES"):
        await put(container, "new", bytes(900), piece=300)
    assert store.used_bytes == before
    assert not await container.has_object("new")
    await container.delete_objects(["old"])
    await put(container, "new", bytes(900), piece=300)


async def test_a_copy_counts_and_a_move_does_not() -> None:
    store = Memory(MemoryOptions(max_bytes=2500))
    container = await store.create_container("c")
    await put(container, "a", bytes(1000))
    with pytest.raises(OutOfSpace):
        await store.copy_object(ObjectId("c", "a"), ObjectId("c", "b"))
    before = store.used_bytes
    await store.move_object(ObjectId("c", "a"), ObjectId("c", "b"))
    assert store.used_bytes == before
    with pytest.raises(OutOfSpace):
        await store.move_object(ObjectId("c", "b"), ObjectId("c", "n" * 1000))
    assert await get(container, "b") == bytes(1000)
    assert store.used_bytes == before


async def test_names_and_containers_take_room_too() -> None:
    store = Memory(MemoryOptions(max_bytes=1500))
    container = await store.create_container("c")
    await put(container, "n" * 300, b"")
    with pytest.raises(OutOfSpace):
        await put(container, "m" * 300, b"")
    with pytest.raises(OutOfSpace):
        await store.create_container("m" * 300)


async def test_deleting_everything_gives_all_room_back() -> None:
    store = Memory()
    container = await store.create_container("c")
    await put(container, "a", pattern(100_000))
    await put(container, "a", pattern(50_000))
    await store.copy_object(ObjectId("c", "a"), ObjectId("c", "b"))
    writer = await container.write("c")
    await writer.write(bytes(1000))
    writer.abort()
    await container.clear()
    await store.delete_container("c")
    assert store.used_bytes == 0


async def test_small_pieces_are_kept_together() -> None:
    store = Memory()
    container = await store.create_container("c")
    data = pattern(100_000)
    await put(container, "a", data, piece=10)
    assert len(store.find("c", "a").data._pieces) < 10
    assert await get(container, "a") == data
