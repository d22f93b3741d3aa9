"""The folder: what lies in it, whom it does not follow, and what a full or foreign disk means."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from interfaces.blobstore.tests.folders import open_files, settled, unfinished
from qwasr_blobstore import (
    BlobstoreError,
    Folder,
    FolderOptions,
    NoSuchContainer,
    NoSuchObject,
    ObjectId,
)
from qwasr_blobstore._names import container_part
from qwasr_blobstore.compliance._stored import END, all_names, get, pattern, put

if TYPE_CHECKING:
    from pathlib import Path


def inside(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


def files(path: Path) -> list[str]:
    found = (path / "store").rglob("*%o")
    return sorted(str(file.relative_to(path / "store")) for file in found)


async def test_an_object_is_a_file_with_its_bytes(store: Folder, tmp_path: Path) -> None:
    await put(await store.create_container("Photos"), "2024/a.jpg", b"value")
    assert files(tmp_path) == ["%50hotos%z/2024%2Fa%2Ejpg%o"]
    assert (tmp_path / "store" / files(tmp_path)[0]).read_bytes() == b"value"


async def test_only_the_owner_may_read_it(store: Folder, tmp_path: Path) -> None:
    await put(await store.create_container("c"), "n" * 300, b"value")
    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_nothing_is_left_of_what_was_given_up(store: Folder, tmp_path: Path) -> None:
    container = await store.create_container("c")
    writer = await container.write("n" * 700)
    await writer.write(b"value")
    assert len(unfinished(tmp_path)) == 1
    writer.abort()
    await put(container, "n" * 700, b"value")
    await container.delete_objects(["n" * 700])
    await put(container, "m" * 700, b"value")
    await store.move_object(ObjectId("c", "m" * 700), ObjectId("c", "short"))
    await settled(store)
    assert unfinished(tmp_path) == []
    assert sorted(inside(tmp_path / "store" / container_part("c"))) == [".container", "short%o"]
    await store.delete_container("c")
    assert inside(tmp_path / "store") == [".unfinished"]


async def test_nothing_is_left_of_cancelled_calls(store: Folder, tmp_path: Path) -> None:
    container = await store.create_container("c")
    await put(container, "object", pattern(500_000))
    open_before = open_files()
    for turn in range(30):
        tasks = [
            asyncio.create_task(put(container, f"new-{turn}", pattern(300_000))),
            asyncio.create_task(get(container, "object")),
            asyncio.create_task(store.copy_object(ObjectId("c", "object"), ObjectId("c", f"copy-{turn}"))),
        ]
        await asyncio.sleep(turn * 0.0002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await settled(store)
    assert unfinished(tmp_path) == []
    assert open_files() <= open_before


async def test_links_are_not_followed(store: Folder, tmp_path: Path) -> None:
    container = await store.create_container("c")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b%o").write_bytes(b"secret")
    folder = tmp_path / "store" / container_part("c")
    (folder / "link%o").symlink_to(secret)
    (folder / ("a" * 200 + "%x")).symlink_to(outside)
    (tmp_path / "store" / container_part("other")).symlink_to(outside)
    with pytest.raises(NoSuchObject):
        await container.read("link", 0, END)
    with pytest.raises(NoSuchObject):
        await container.read("a" * 200 + "b", 0, END)
    with pytest.raises(BlobstoreError):
        await put(container, "a" * 200 + "c", b"value")
    assert await container.has_object("link") is False
    with pytest.raises(NoSuchContainer):
        await store.get_container("other")
    await put(container, "link", b"mine")
    await container.clear()
    assert secret.read_bytes() == b"secret"
    assert [path.name for path in outside.iterdir()] == ["b%o"]


async def test_somebody_elses_files_are_left_out(store: Folder, tmp_path: Path) -> None:
    container = await store.create_container("c")
    await put(container, "mine", b"value")
    folder = tmp_path / "store" / container_part("c")
    (folder / "README.txt").write_text("hello")
    (folder / "NOT OURS%o").write_text("hello")
    (folder / "theirs%x").mkdir()
    os.mkfifo(folder / "pipe%o")
    (folder / "folder%o").mkdir()
    assert await container.has_object("pipe") is False
    assert await container.has_object("folder") is False
    assert await all_names(container) == ["mine"]
    await container.delete_objects(["mine", "folder", "theirs"])
    await container.clear()
    assert (folder / "README.txt").exists()
    assert (folder / "folder%o").exists()


async def test_pages_of_long_names_in_folders_have_every_object_once(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
    container = await store.create_container("c")
    names = [f"{'n' * (190 + number % 30)}-{number}" for number in range(1500)] + [
        f"{'A' * (60 + number % 10)}-{number}" for number in range(800)
    ]

    def make(name: str) -> None:
        draft = store._files.draft("c", name, name)
        store._files.commit(draft)
        draft.close()

    for name in names:
        await store._threads.run(make, name)
    assert sorted(await all_names(container)) == sorted(names)
    await store.close()


async def test_what_a_killed_process_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    container = await store.create_container("c")
    alive = await container.write("alive")
    await alive.write(b"value")
    folder = tmp_path / "store" / ".unfinished"
    (folder / "left").write_bytes(b"left")
    (folder / "trash").mkdir()
    (folder / "trash" / "a%o").write_bytes(b"left")
    (folder / "fresh").write_bytes(b"somebody's, just now")
    for path in folder.iterdir():
        if path.name != "fresh":
            os.utime(path, (time.time() - 7200, time.time() - 7200))
    other = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    left = {path.name for path in folder.iterdir()}
    assert "fresh" in left
    assert not left & {"left", "trash"}
    await alive.commit()
    assert await get(container, "alive") == b"value"
    await other.close()
    await store.close()
