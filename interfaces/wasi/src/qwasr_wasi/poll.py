"""wasi:io/poll: waiting for one of many things, without a task and without a busy loop.

Whatever a guest can wait for is a `Waitable`: it says cheaply whether it is ready, and calls a function soon after it
becomes so. A `Pollable` is the guest's handle on one; `poll` watches all of them with one future, and takes its
watches back however it ends, cancellation included. Three ways to make a waitable::

    Pollable(FutureWaitable(task))              # something that asyncio already waits for

    class Inbox:                                # state of one's own: notify whenever ready() may have become true
        def __init__(self) -> None:
            self.messages: list[bytes] = []
            self._waiters = Waiters()
            self.watch = self._waiters.watch

        def ready(self) -> bool:
            return bool(self.messages)

        def put(self, message: bytes) -> None:
            self.messages.append(message)
            self._waiters.notify()

    Pollable(READY)                             # what is always ready
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from qwasr.errors import GuestTrap
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from qwasr.protocols import Backends

__all__ = ["READY", "FutureWaitable", "Poll", "Pollable", "Unwatch", "Waitable", "Waiters", "Wake", "wait_until"]

Wake = Callable[..., None]
"""Called, with any arguments, when a watched thing may have become ready; calling it again does nothing."""

Unwatch = Callable[[], object]
"""Takes one watch back; called exactly once."""

_MAX_POLLABLES: Final = 65_536  # one pass over that many takes about 5 ms of the loop's time


class Waitable(Protocol):
    """What a guest can wait for."""

    def ready(self) -> bool:
        """Say at once whether waiting would be over; true for ever once the thing has ended or failed."""
        ...

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called on the event loop soon after this becomes ready, at once if it already is.

        A needless wake is allowed, a missing one is not. Return the function that takes the request back.
        """
        ...


class Waiters:
    """The watches of one object: `watch` for who waits, `notify` for who changed something."""

    __slots__ = ("_wakes",)

    def __init__(self) -> None:
        self._wakes: list[Wake] = []

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called at the next `notify`; return the function that takes it back."""
        self._wakes.append(wake)
        return partial(self._wakes.remove, wake)

    def notify(self) -> None:
        """Wake all who watch now."""
        for wake in tuple(self._wakes):
            wake()


class FutureWaitable:
    """An asyncio future or task as something to wait for: ready when it is done, however it ended."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def ready(self) -> bool:
        """Say whether the future is done."""
        return self._future.done()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when the future is done."""
        self._future.add_done_callback(wake)
        return partial(self._future.remove_done_callback, wake)


class _Ready:
    """What is always ready."""

    __slots__ = ()

    def ready(self) -> bool:
        return True

    def watch(self, wake: Wake) -> Unwatch:
        wake()
        return _nothing


def _nothing() -> None:
    pass


READY: Final = _Ready()


async def wait_until(*waitables: Waitable) -> None:
    """Suspend until at least one of the waitables is ready.

    Nothing stays behind: no task is made, and every watch is taken back, also when the wait is cancelled.
    """
    loop = asyncio.get_running_loop()
    while not any(waitable.ready() for waitable in waitables):
        woken = loop.create_future()
        wake = partial(_wake, woken)
        watches: list[Unwatch] = []
        try:
            for waitable in waitables:
                watches.append(waitable.watch(wake))  # noqa: PERF401 - what is watched must be known if the next fails
            await woken
        finally:
            for unwatch in watches:
                unwatch()


def _wake(woken: asyncio.Future[None], *_: object) -> None:
    if not woken.done():
        woken.set_result(None)


class Pollable(HostResource):
    """wasi:io/poll.pollable: a guest's handle on something to wait for."""

    __slots__ = ("waitable",)

    def __init__(self, waitable: Waitable) -> None:
        self.waitable = waitable

    def ready(self) -> bool:
        """Say whether `block` would return at once."""
        return self.waitable.ready()

    def block(self) -> Awaitable[None] | None:
        """Return when the pollable is ready."""
        if self.waitable.ready():
            return None
        return wait_until(self.waitable)


class Poll(HostInterface, wit="wasi:io/poll", resources=(Pollable,)):
    """wasi:io/poll: wait for the first of many pollables."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def poll(self, in_: list[Pollable]) -> list[int] | Awaitable[list[int]]:
        """Return the indices of the pollables that are ready, at least one, in ascending order.

        Args:
            in_: 1 to 65 536 pollables; the same one may be in it several times.

        Raises:
            GuestTrap: the list is empty, or longer than that.
        """
        if not in_:
            raise GuestTrap("wasi:io/poll.poll was called with an empty list, which could never return")
        if len(in_) > _MAX_POLLABLES:
            raise GuestTrap(f"wasi:io/poll.poll was called with {len(in_)} pollables; {_MAX_POLLABLES} are the most")
        return _ready_indices(in_) or _first_ready(in_)


def _ready_indices(pollables: Sequence[Pollable]) -> list[int]:
    return [index for index, pollable in enumerate(pollables) if pollable.waitable.ready()]


async def _first_ready(pollables: Sequence[Pollable]) -> list[int]:
    await wait_until(*[pollable.waitable for pollable in pollables])
    return _ready_indices(pollables)
