"""What a stand-in for tests is made of; for authors of interfaces.

A fake is a backend: an embedded store, with what tests need around it. A whole one::

    class FakeGreeting(FakeBackend):
        provides = ("greeting",)

        def __init__(self, clock: Clock | None = None) -> None:
            super().__init__(clock)
            self.words: dict[str, str] = {}            # what a test reads and sets: plain Python

        async def word_for(self, name: str) -> str:
            await self.step("word_for", name)          # recorded, and delayed or failed when the test said so
            return self.words.get(name, "Hello")

It is registered by `qwasr_register_fakes` as `Fake(interface="greeting", make=FakeGreeting)`. A test then says::

    guest.greeting.words["Ada"] = "Moin"
    guest.greeting.fail(Unavailable("the greeting service is unavailable"), on="word_for")
    assert guest.greeting.calls == [Call("word_for", ("Ada",))]
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from qwasr.options import ConnectOptions
from qwasr.testing.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Call", "FakeBackend", "at_once"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a fake got.

    Args:
        operation: the method of the interface's Protocol.
        arguments: what it was called with, those first that say on what.
    """

    operation: str
    arguments: tuple[Any, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What shall happen to calls of one operation, or of any."""

    on: str | None
    times: int | None
    after: int = 0
    delay_s: float = 0.0
    error: Exception | None = None

    def meets(self, operation: str) -> bool:
        """Say whether this call is one of those that it is for, and count it."""
        if self.on not in (None, operation) or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class FakeBackend:
    """A backend for tests, which remembers what it was asked and can be told to fail.

    Args:
        clock: the test's time; one of its own when not given.

    Attributes:
        clock: the same.
        calls: what was called so far, the oldest first.
    """

    name: ClassVar[str] = "fake"
    provides: ClassVar[tuple[str, ...]] = ()
    schemes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[ConnectOptions]] = ConnectOptions

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = Clock() if clock is None else clock
        self.calls: list[Call] = []
        self._plans: list[_Plan] = []

    @classmethod
    async def connect(cls, options: ConnectOptions) -> Self:
        """Return a fresh one."""
        return cls()

    async def check(self) -> None:
        """Return: it is always usable."""

    async def close(self) -> None:
        """Do nothing; a fake that holds something lets go of it."""

    def fail(self, error: Exception, *, on: str | None = None, times: int | None = 1, after: int = 0) -> None:
        """Have calls fail.

        Args:
            error: what they raise: one of the interface's own exceptions, or any other to see what becomes of it.
            on: the operation, ``None`` for every one.
            times: how many calls fail, ``None`` for all.
            after: how many calls succeed before.
        """
        self._plans.append(_Plan(on=on, times=times, after=after, error=error))

    def delay(self, seconds: float, *, on: str | None = None, times: int | None = None) -> None:
        """Have calls take their time.

        Args:
            seconds: how long, by the real clock; `math.inf` never answers.
            on: the operation, ``None`` for every one.
            times: how many calls, ``None`` for all.
        """
        self._plans.append(_Plan(on=on, times=times, delay_s=seconds))

    def reset(self) -> None:
        """Forget the calls, and what shall happen to further ones."""
        self.calls.clear()
        self._plans.clear()

    async def step(self, operation: str, *arguments: Any) -> None:
        """Remember a call, and let happen to it what shall; a fake's methods begin with this.

        Raises:
            Exception: what `fail` was given.
        """
        self.calls.append(Call(operation, arguments))
        if not self._plans:
            return
        delay_s = sum(plan.delay_s for plan in self._plans if plan.error is None and plan.meets(operation))
        # The first that fails it is the only one that it counts for: two of them fail two calls.
        error = next((plan.error for plan in self._plans if plan.error is not None and plan.meets(operation)), None)
        if delay_s == math.inf:
            await asyncio.get_running_loop().create_future()
        elif delay_s:
            await asyncio.sleep(delay_s)
        if error is not None:
            raise error


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that does not wait, as those of an embedded store; no event loop is needed.

    Raises:
        RuntimeError: it waits.
    """
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    coroutine.close()
    message = f"{getattr(coroutine, '__qualname__', coroutine)} waits for something"
    raise RuntimeError(message)
