"""The embedded stores against a model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings

from interfaces.blobstore.tests.store_model import StoreMachine
from qwasr.testing.fakes import at_once
from qwasr_blobstore import Folder, FolderOptions, Memory

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class MemoryMachine(StoreMachine):
    """Memory, with pages of two names, so that listings have many; that it never waits is part of what is tested."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.memory = Memory()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("qwasr_blobstore.memory.PAGE_NAMES", 2)

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return at_once(coroutine)

    def teardown(self) -> None:
        self._patch.undo()
        self.done(self.memory.close())


class FolderMachine(StoreMachine):
    """A folder, with pages of two names."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._path = Path(tempfile.mkdtemp())
        options = FolderOptions(url=f"file:///{self._path / 'store'}", durable=False)
        self.store = self.folder = self.done(Folder.connect(options))
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("qwasr_blobstore._folder_files.PAGE_NAMES", 2)

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        self._patch.undo()
        self.done(self.folder.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        shutil.rmtree(self._path)


TestMemoryAgainstItsModel = MemoryMachine.TestCase
TestMemoryAgainstItsModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestFolderAgainstItsModel = FolderMachine.TestCase
TestFolderAgainstItsModel.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
