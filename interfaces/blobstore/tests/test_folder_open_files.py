"""The folder: how many files guests keep open, so that the process never runs out of descriptors because of them."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.blobstore.tests.folders import open_files, settled
from interfaces.blobstore.tests.guests import runtime_on
from qwasr_blobstore import BlobstoreError, Folder, FolderOptions, NoSuchObject, ObjectId
from qwasr_blobstore.compliance._stored import END, get, put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MOST = 4


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Folder]:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False, max_open=MOST))
    await put(await store.create_container("c"), "object", b"value")
    yield store
    await store.close()


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = open_files() + 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def opened(store: Folder, count: int) -> list[Any]:
    container = await store.get_container("c")
    return [await container.read("object", 0, END) for _ in range(count)]


async def test_readers_and_writers_share_one_bound(store: Folder) -> None:
    container = await store.get_container("c")
    readers = await opened(store, MOST - 1)
    writer = await container.write("new")
    for call in (container.read("object", 0, END), container.write("other")):
        with pytest.raises(BlobstoreError, match="QWASR_BLOBSTORE_FOLDER_MAX_OPEN"):
            await call
    writer.abort()
    for reader in readers:
        reader.close()


async def test_what_needs_no_open_object_works_at_the_bound(store: Folder) -> None:
    container = await store.get_container("c")
    readers = await opened(store, MOST)
    assert await container.has_object("object") is True
    assert (await container.object_info("object")).size == 5
    await store.move_object(ObjectId("c", "object"), ObjectId("c", "moved"))
    await container.delete_objects(["moved"])
    for reader in readers:
        reader.close()


async def test_a_place_is_free_again_however_its_file_ended(store: Folder) -> None:
    container = await store.get_container("c")
    for _ in range(3 * MOST):
        assert await get(container, "object") == b"value"
        await put(container, "new", b"new")
        (await container.write("aborted")).abort()
        await settled(store)
        with pytest.raises(NoSuchObject):
            await container.read("missing", 0, END)
        await store.copy_object(ObjectId("c", "object"), ObjectId("c", "copy"))
    assert len(await opened(store, MOST)) == MOST


async def test_a_place_is_free_again_after_a_cancelled_call(store: Folder) -> None:
    container = await store.get_container("c")
    for _ in range(3 * MOST):
        tasks = [asyncio.create_task(get(container, "object")), asyncio.create_task(put(container, "new", b"new"))]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled(store)
    assert len(await opened(store, MOST)) == MOST


async def test_one_call_of_a_guest_does_not_take_every_place(tmp_path: Path) -> None:
    options = FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False, max_open=8, max_open_per_call=1)
    store = await Folder.connect(options)
    async with runtime_on(store) as runtime:
        await runtime.call(None, "create", "c")
        await put(await store.get_container("c"), "o", b"value")
        with pytest.raises(Exception, match="QWASR_BLOBSTORE_FOLDER_MAX_OPEN_PER_CALL"):
            await runtime.call(None, "carry", "c", "o", "p")  # which reads and writes
        assert await runtime.call(None, "fetch", "c", "o", 0, END, True) == b"value"
    await store.close()


async def test_guests_leave_the_process_most_of_its_descriptors(tmp_path: Path, few_descriptors: int) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
    await put(await store.create_container("c"), "object", b"value")
    readers: list[Any] = []
    while len(readers) < few_descriptors // 8:
        readers += await opened(store, 1)
    with pytest.raises(BlobstoreError, match="QWASR_BLOBSTORE_FOLDER_MAX_OPEN"):
        await opened(store, 1)
    for reader in readers:
        reader.close()
    await store.close()
