"""The embedded brokers against a model."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings

from interfaces.messaging.tests.broker_model import BrokerMachine
from qwasr_messaging import Memory, Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class MemoryMachine(BrokerMachine):
    """Memory, which never waits for what is asked without waiting; that is part of what is tested."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = self.memory = Memory(clock=lambda: self.now_s)
        self.subscribe_all()

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        msg = "the embedded broker waited"
        raise AssertionError(msg)

    def teardown(self) -> None:
        self.finish_all()
        assert self.memory.used_bytes == 0
        for group in self.memory._groups.values():
            assert not group.queue._lanes


class SqliteMachine(BrokerMachine):
    """A file; what has expired is removed with every write."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        options = SqliteOptions(url=f"sqlite:///{self._folder.name}/broker.db", forget_s=1e9)
        self.broker = self.sqlite = self.done(Sqlite.connect(options, clock=lambda: self.now_s))
        self.subscribe_all()

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if hasattr(self, "sqlite"):
            self.sqlite._threads._swept_s = -1000
        return self._runner.run(coroutine)

    def teardown(self) -> None:
        try:
            self.finish_all()
        finally:
            for subscription in self.subscriptions.values():
                self.done(subscription.close())
            self.done(self.sqlite.close())
            self._runner.close()
            self._folder.cleanup()


TestMemoryAgainstItsModel = MemoryMachine.TestCase
TestMemoryAgainstItsModel.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestSqliteAgainstItsModel = SqliteMachine.TestCase
TestSqliteAgainstItsModel.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
