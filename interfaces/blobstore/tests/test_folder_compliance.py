"""The folder passes what every blobstore passes, also while its disk is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore import Folder, FolderOptions
from qwasr_blobstore.compliance import BlobstoreCompliance, BlobstoreFaultCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Disk:
    """A folder that can be taken away, as a disk that is not mounted any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._away = path.with_name("away")

    def kill(self) -> None:
        self.path.rename(self._away)

    def start(self) -> None:
        self._away.rename(self.path)


class TestFolder(BlobstoreCompliance):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[Folder]:
        # Waiting for the disk a thousand times takes its time, and changes nothing of these rules.
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
