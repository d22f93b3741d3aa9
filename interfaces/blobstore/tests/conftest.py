"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore import Folder, FolderOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Folder]:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    yield store
    await store.close()
