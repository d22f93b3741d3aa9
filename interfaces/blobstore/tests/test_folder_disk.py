"""The folder: bounds, a disk that is full, away or damaged, and what its options mean."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from interfaces.blobstore.tests.folders import unfinished
from qwasr.errors import BackendError, OptionError
from qwasr_blobstore import (
    AccessDenied,
    BlobstoreError,
    Folder,
    FolderOptions,
    OutOfSpace,
    TooLarge,
    Unavailable,
)
from qwasr_blobstore._disk import disk_errors
from qwasr_blobstore._names import container_part
from qwasr_blobstore.compliance._stored import get, put

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_object_above_the_bound_is_an_error(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", max_object_bytes=1000))
    container = await store.create_container("c")
    await put(container, "object", bytes(1000))
    with pytest.raises(TooLarge, match="QWASR_BLOBSTORE_FOLDER_MAX_OBJECT_BYTES"):
        await put(container, "object", bytes(1001), piece=900)
    assert await get(container, "object") == bytes(1000)
    await store.close()
    assert unfinished(tmp_path) == []


async def test_the_disk_keeps_some_room_free(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", min_free_bytes=2**60))
    container = await store.create_container("c")
    with pytest.raises(OutOfSpace):
        await put(container, "object", b"value")
    await store.close()


async def test_a_store_that_is_closed_is_unavailable(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    container = await store.create_container("c")
    writer = await container.write("object")
    await store.close()
    with pytest.raises(Unavailable):
        await container.has_object("object")
    writer.abort()
    assert unfinished(tmp_path) == []


async def test_a_damaged_container_says_so(store: Folder, tmp_path: Path) -> None:
    container = await store.create_container("c")
    about = tmp_path / "store" / container_part("c") / ".container"
    for text in ("", "{", "[]", "{}", '{"created_at": "now"}', '{"created_at": null}', '{"created_at": -1}'):
        about.write_text(text)
        with pytest.raises(Unavailable, match="damaged"):
            await container.info()


async def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match=r"QWASR_BLOBSTORE_FOLDER_URL=file:///.*the disk says"):
        await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'file' / 'store'}"))


async def test_a_folder_that_is_away_is_not_usable(store: Folder, tmp_path: Path) -> None:
    await store.check()
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(BackendError, match="unavailable"):
        await store.check()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file://",
        "file:///",
        "file://host/path",
        "http:///x",
        "store",
        "file:///a?b=c",
        "file:///a#b",
        "file:///a%00b",
    ],
)
def test_what_is_no_url_of_a_folder_is_an_error(url: str) -> None:
    with pytest.raises(OptionError, match="QWASR_BLOBSTORE_FOLDER_URL"):
        _ = FolderOptions(url=url).path


def test_a_url_may_be_relative_absolute_and_quoted() -> None:
    assert str(FolderOptions(url="file:///blobs/my%20store").path) == "blobs/my store"
    assert str(FolderOptions(url="file:////var/blobs").path) == "/var/blobs"


@pytest.mark.parametrize(
    ("number", "error"),
    [
        ("ENOSPC", OutOfSpace),
        ("EDQUOT", OutOfSpace),
        ("EACCES", AccessDenied),
        ("EROFS", AccessDenied),
        ("EIO", Unavailable),
    ],
)
def test_errors_of_the_disk_name_no_path(number: str, error: type[BlobstoreError]) -> None:
    def fail() -> None:
        with disk_errors():
            raise OSError(getattr(errno, number), "secret", "/secret/path")

    with pytest.raises(error) as caught:
        fail()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
