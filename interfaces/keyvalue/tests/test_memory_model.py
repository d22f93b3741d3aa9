"""The backend in memory against a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings
from hypothesis.stateful import invariant

from interfaces.keyvalue.tests.store_model import StoreMachine
from qwasr_keyvalue import Memory, _memory

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class MemoryMachine(StoreMachine):
    """Memory, with pages of two keys, so that listings have many."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.memory = Memory(clock=lambda: self.now_s)
        self._page_keys = _memory.PAGE_KEYS
        _memory.PAGE_KEYS = 2  # type: ignore[misc]  # final for everybody else

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what never waits; that memory never waits is part of what is tested."""
        try:
            coroutine.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        msg = "the embedded backend waited"
        raise AssertionError(msg)

    @invariant()
    def an_empty_store_uses_no_bytes(self) -> None:
        if not self.memory._filled:
            assert self.memory.used_bytes == 0

    def teardown(self) -> None:
        self.done(self.memory.close())
        _memory.PAGE_KEYS = self._page_keys  # type: ignore[misc]
        assert self.memory.used_bytes == 0


TestMemoryAgainstItsModel = MemoryMachine.TestCase
TestMemoryAgainstItsModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
