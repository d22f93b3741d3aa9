"""A service that tests may harm, and what the interfaces' rules for a service that goes away are made of.

An interface's kit says what is called and what has to come of it; how a service is harmed, how long anything may take
and when a rule is left out is here, once::

    class FaultRules(Faults):
        unavailable = Unavailable

        async def test_a_service_that_goes_on_is_used_again(self, backend: Store, service: Service) -> None:
            async with self.standing_still(service):
                with pytest.raises(Unavailable):
                    await backend.get("key")
            await self.back(lambda: backend.set("key", b"value"))
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

__all__ = ["FakeService", "Faults", "Service"]

T = TypeVar("T")


class Service(Protocol):
    """A service that a test may harm; `pause` and `resume` only where a test class says that it can be paused."""

    def kill(self) -> None:
        """End it without giving it time for anything."""
        ...

    def start(self) -> None:
        """Start it again, and return when it answers."""
        ...

    def pause(self) -> None:
        """Stop it where it is: it keeps its connections and answers nobody."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...


class FakeService:
    """A service in this process, with a client that notices when it is away: for tests of the rules themselves.

    Attributes:
        unavailable: what the client raises while the service is away; a subclass sets it.
        patience_s: how long the client waits for a service that stands still, in seconds.
        says: the message of what the client raises.
        comes_back: whether the client uses the service again after it was away.
        running: whether the service was started and not killed.
        moving: whether the service does not stand still.
    """

    unavailable: ClassVar[type[Exception]]
    patience_s: ClassVar[float] = 0.05
    says: ClassVar[str] = "the service is unavailable"
    comes_back: ClassVar[bool] = True

    running = moving = True
    _lost = False

    def kill(self) -> None:
        """End it without giving it time for anything."""
        self.running = False

    def start(self) -> None:
        """Start it again."""
        self.running = True

    def pause(self) -> None:
        """Stop it where it is."""
        self.moving = False

    def resume(self) -> None:
        """Let it go on."""
        self.moving = True

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        """Return what a method of the right backend returns, if the service is there.

        Args:
            right: an object of a backend that does what it should.
            name: the method.
            arguments: its arguments.
            named: its arguments with a name.

        Raises:
            Exception: `unavailable`, because the service is away.
        """
        if self.running and not self.moving:
            await asyncio.sleep(self.patience_s)
        away = not (self.running and self.moving)
        self._lost = self._lost or (away and not self.comes_back)
        if away or self._lost:
            raise self.unavailable(self.says)
        return await getattr(right, name)(*arguments, **named)


class Faults:
    """What an interface's rules for a service that goes away and comes back are built on.

    Attributes:
        unavailable: the interface's error for a service that does not answer; the rules of an interface set it.
        lasting: whether the service keeps what it acknowledged when it is killed.
        pauses: whether the service can be stopped where it is.
        fails_in_s: how long a call may take to fail, in seconds.
        back_in_s: how long after the service is back it is used again, in seconds.
    """

    unavailable: ClassVar[type[Exception]]
    lasting: ClassVar[bool] = False
    pauses: ClassVar[bool] = True
    fails_in_s: ClassVar[float] = 1.0
    back_in_s: ClassVar[float] = 5.0

    @pytest.fixture
    def service(self) -> Service:
        """Return the service; every subclass has its own."""
        raise self._without("service")

    @pytest.fixture
    def backend(self, service: Service) -> Any:
        """Return the backend that is connected to the service; every subclass has its own."""
        raise self._without("backend")

    def need_lasting(self) -> None:
        """Leave the rule out where the service keeps nothing."""
        if not self.lasting:
            pytest.skip("the service keeps nothing when it is killed")

    def need_pauses(self) -> None:
        """Leave the rule out where the service cannot be stopped where it is."""
        if not self.pauses:
            pytest.skip("the service cannot be made to stand still")

    async def all_fail(self, calls: Mapping[str, Awaitable[Any]]) -> None:
        """Make calls side by side and check that each raises `unavailable`, says so, and does it in time.

        Args:
            calls: the calls that are to be made, by the names that a failure of the rule speaks of.
        """
        began_s = time.monotonic()
        results = await asyncio.gather(*calls.values(), return_exceptions=True)
        took_s = time.monotonic() - began_s
        for name, result in zip(calls, results, strict=True):
            # What was returned is not shown: a kit for secrets uses this, too.
            found = repr(result) if isinstance(result, BaseException) else f"it returns {type(result).__name__}"
            assert isinstance(result, self.unavailable), f"{name} does not raise Unavailable: {found}"
            assert "unavailable" in str(result), f"{name} does not say so: {result}"
        assert took_s <= self.fails_in_s, f"the calls took {took_s:.1f} s to fail"

    async def back(self, use: Callable[[], Awaitable[object]]) -> None:
        """Wait until the service is used again, and check that this is soon.

        Args:
            use: makes a call that raises `unavailable` as long as the service is not used again.
        """
        began_s = time.monotonic()
        while True:
            try:
                await use()
            except self.unavailable:
                assert time.monotonic() - began_s <= self.back_in_s, "the service is back and not used"
                await asyncio.sleep(0.05)
            else:
                return

    @asynccontextmanager
    async def standing_still(self, service: Service) -> AsyncIterator[None]:
        """Let a service stand still; the rule is left out where that is not possible."""
        self.need_pauses()
        await asyncio.to_thread(service.pause)
        try:
            yield
        finally:
            await asyncio.to_thread(service.resume)

    async def stand_still(self, service: Service) -> None:
        """Let a service stand still for longer than a call may take, with some time before and after."""
        await asyncio.sleep(0.1)
        async with self.standing_still(service):
            await asyncio.sleep(2 * self.fails_in_s)
        await asyncio.sleep(0.1)

    async def start_again(self, service: Service, *, step_s: float = 0.2) -> None:
        """Kill a service and start it again.

        Args:
            service: the service.
            step_s: how long it runs before, is away, and runs after, in seconds; 0 or more.
        """
        await asyncio.sleep(step_s)
        await asyncio.to_thread(service.kill)
        await asyncio.sleep(step_s)
        await asyncio.to_thread(service.start)
        await asyncio.sleep(step_s)

    async def during(
        self,
        harm: Coroutine[Any, Any, None],
        call: Callable[[int, int], Awaitable[T]],
        *,
        at_once: int,
        error: type[Exception] | None = None,
    ) -> tuple[list[T], int]:
        """Make calls, several at a time and without end, until the harm is done.

        Args:
            harm: what is done to the service meanwhile: `stand_still` or `start_again`.
            call: makes one call; it is given the number of its worker, from 0, and of the worker's call, from 1.
            at_once: how many workers call, 1 or more.
            error: what a call may raise that was not acknowledged; `unavailable` without it.

        Returns:
            What the acknowledged calls returned, and how many were not acknowledged.
        """
        expected = error or self.unavailable
        doing = asyncio.create_task(harm)
        acknowledged: list[T] = []
        failed = 0

        async def work(worker: int) -> None:
            nonlocal failed
            number = 0
            while not doing.done():
                number += 1
                try:
                    acknowledged.append(await call(worker, number))
                except expected:
                    failed += 1
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work(worker) for worker in range(at_once)))
        await doing
        return acknowledged, failed

    def _without(self, fixture: str) -> TypeError:
        guide = next(each.__module__ for each in type(self).__mro__ if Faults in each.__bases__)
        return TypeError(f"{type(self).__name__} has to override the fixture `{fixture}`; see {guide}")
