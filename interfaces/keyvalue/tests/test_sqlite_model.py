"""The backend in a file against a model."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings

from interfaces.keyvalue.tests.store_model import StoreMachine
from qwasr_keyvalue import Sqlite, SqliteOptions, _sqlite_bucket

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class SqliteMachine(StoreMachine):
    """A file, with pages of two keys, so that listings have many; expired entries are removed with every write."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self.now_s = 1000.0
        options = SqliteOptions(url=f"sqlite:///{self._folder.name}/store.db")
        self.store = self.sqlite = self.done(Sqlite.connect(options, clock=lambda: self.now_s))
        self._page_keys = _sqlite_bucket.PAGE_KEYS
        _sqlite_bucket.PAGE_KEYS = 2  # type: ignore[misc]  # final for everybody else

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in an event loop of our own."""
        if hasattr(self, "sqlite"):
            self.sqlite._threads._swept_s = -1000
        return self._runner.run(coroutine)

    def teardown(self) -> None:
        self.done(self.sqlite.close())
        self._runner.close()
        self._folder.cleanup()
        _sqlite_bucket.PAGE_KEYS = self._page_keys  # type: ignore[misc]


TestSqliteAgainstItsModel = SqliteMachine.TestCase
TestSqliteAgainstItsModel.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
