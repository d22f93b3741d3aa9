"""The folder passes what every blobstore passes, also while its disk is away."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest

from qwasr_blobstore import Folder, FolderOptions
from qwasr_blobstore.compliance import BlobstoreCompliance, BlobstoreFaultCompliance
from qwasr_blobstore.compliance.model import ModelRules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ROOM_BYTES: Final = 4 * 1024 * 1024


class Disk:
    """A folder that can be taken away, as a disk that is not mounted any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._away = path.with_name("away")

    def kill(self) -> None:
        self.path.rename(self._away)

    def start(self) -> None:
        self._away.rename(self.path)


def size_of(folder: Path) -> int:
    """Return how many bytes are in a folder's files, some of which may go meanwhile."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


class TestFolder(BlobstoreCompliance):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[Folder]:
        # Waiting for the disk a thousand times takes its time, and changes nothing of these rules.
        backend = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
        yield backend
        await backend.close()

    @pytest.fixture
    async def cramped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Folder]:
        path = tmp_path / "cramped"

        def free(_descriptor: int) -> SimpleNamespace:
            return SimpleNamespace(f_bavail=max(0, ROOM_BYTES - size_of(path)), f_frsize=1)

        monkeypatch.setattr("os.fstatvfs", free)
        backend = await Folder.connect(FolderOptions(url=f"file:///{path}", durable=False, min_free_bytes=0))
        yield backend
        await backend.close()


class TestFolderInPagesOfTwo(ModelRules):
    """So that the model's listings have many pages."""

    @pytest.fixture
    async def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Folder]:
        monkeypatch.setattr("qwasr_blobstore._folder_files.PAGE_NAMES", 2)
        backend = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
        yield backend
        await backend.close()


class TestFolderThatIsAway(BlobstoreFaultCompliance):
    lasting = True
    pauses = False

    @pytest.fixture
    def service(self, tmp_path: Path) -> Disk:
        return Disk(tmp_path / "store")

    @pytest.fixture
    async def backend(self, service: Disk) -> AsyncIterator[Folder]:
        backend = await Folder.connect(FolderOptions(url=f"file:///{service.path}"))
        yield backend
        await backend.close()
