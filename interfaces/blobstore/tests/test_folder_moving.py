"""The folder: moving and writing while others remove the folders on the way, and what is left when it is in vain."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.blobstore.tests.folders import unfinished
from qwasr_blobstore import Folder, NoSuchObject, ObjectId, Unavailable, _tree
from qwasr_blobstore._names import container_part
from qwasr_blobstore.compliance._stored import get, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = "n" * 600  # is a file in folders in folders
HERE, THERE = ObjectId("c", "here"), ObjectId("c", LONG)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], object]], None]:
    """Have something done, once, as soon as a folder on the way was made: it is given the folder and the one above."""
    make = _tree._make

    def arrange(what: Callable[[str, int], object]) -> None:
        left = [what]

        def made(part: str, folder: int, **named: Any) -> None:
            make(part, folder, **named)
            if left:
                left.pop()(part, folder)

        monkeypatch.setattr(_tree, "_make", made)

    return arrange


def remove_folder(part: str, folder: int) -> None:
    os.rmdir(part, dir_fd=folder)


def inside(path: Path) -> list[str]:
    return sorted(entry.name for entry in (path / "store" / container_part("c")).iterdir())


async def test_a_move_is_done_although_others_remove_the_empty_folders_on_its_way(
    store: Folder, meanwhile: Any
) -> None:
    container = await store.create_container("c")
    await put(container, "here", b"value")
    meanwhile(remove_folder)
    await store.move_object(HERE, THERE)
    assert await get(container, LONG) == b"value"
    assert await container.has_object("here") is False


async def test_a_write_is_done_although_others_remove_the_empty_folders_on_its_way(
    store: Folder, meanwhile: Any
) -> None:
    container = await store.create_container("c")
    meanwhile(remove_folder)
    await put(container, LONG, b"value")
    assert await get(container, LONG) == b"value"


async def test_a_move_in_vain_leaves_no_folders(store: Folder, tmp_path: Path, meanwhile: Any) -> None:
    await put(await store.create_container("c"), "here", b"value")
    meanwhile(lambda _part, _folder: (tmp_path / "store" / container_part("c") / "here%o").unlink())
    with pytest.raises(NoSuchObject):
        await store.move_object(HERE, THERE)
    assert inside(tmp_path) == [".container"]


async def test_a_write_in_vain_leaves_no_folders(store: Folder, tmp_path: Path, meanwhile: Any) -> None:
    writer = await (await store.create_container("c")).write(LONG)
    meanwhile(lambda _part, _folder: unfinished(tmp_path)[0].unlink())
    with pytest.raises(Unavailable):
        await writer.commit()
    writer.abort()
    assert inside(tmp_path) == [".container"]
