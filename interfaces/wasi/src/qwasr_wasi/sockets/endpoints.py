"""A socket of the operating system as several of a guest's resources hold it: readiness, holders, end.

The event loop watches a file descriptor only while someone waits for it, and never after it was closed: its number may
be another socket's by then.
"""

from __future__ import annotations

import asyncio
import select
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from qwasr_wasi.poll import Unwatch, Wake

__all__ = ["Endpoint"]


class _Watches:
    """Who waits for one direction of a file descriptor."""

    __slots__ = ("_fd", "_loop", "_wakes", "_write")

    def __init__(self, fd: int, *, write: bool) -> None:
        self._fd = fd
        self._write = write
        self._wakes: list[Wake] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # set while it watches

    def watch(self, wake: Wake) -> Unwatch:
        self._wakes.append(wake)
        if self._loop is None:
            self._loop = loop = asyncio.get_running_loop()
            (loop.add_writer if self._write else loop.add_reader)(self._fd, self.fire)
        return partial(self._unwatch, wake)

    def fire(self) -> None:
        """Wake all; who is not content watches again, so a descriptor that stays ready does not spin the loop."""
        self.stop()
        for wake in tuple(self._wakes):
            wake()

    def stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            (loop.remove_writer if self._write else loop.remove_reader)(self._fd)

    def _unwatch(self, wake: Wake) -> None:
        self._wakes.remove(wake)
        if not self._wakes:
            self.stop()


class Endpoint:
    """One socket, open until the last who holds it lets go.

    Args:
        socket: non-blocking.
        on_close: called once, with the endpoint, when it is closed.

    Attributes:
        socket: the socket itself; not to be used when `closed`.
        closed: whether nothing can be done with it any more.
        lingers: whether its guest is gone and it only sends what was written.
    """

    __slots__ = ("_holders", "_on_close", "_poll", "_reading", "_writing", "closed", "lingers", "socket")

    def __init__(self, socket: socket.socket, on_close: Callable[[Endpoint], None]) -> None:
        self.socket = socket
        self.closed = False
        self.lingers = False
        self._on_close = on_close
        self._holders = 1
        self._poll = select.poll()
        self._poll.register(socket.fileno(), 0)
        self._reading = _Watches(socket.fileno(), write=False)
        self._writing = _Watches(socket.fileno(), write=True)

    def hold(self) -> Endpoint:
        """Return it, held by one more."""
        self._holders += 1
        return self

    def let_go(self) -> None:
        """Be held by one less; the last one closes it."""
        self._holders -= 1
        if not self._holders:
            self.close()

    def close(self) -> None:
        """Close it at once, whoever holds it; idempotent. What waits for it is woken."""
        if self.closed:
            return
        self.closed = True
        self._reading.stop()
        self._writing.stop()
        self.socket.close()
        self._on_close(self)
        self._reading.fire()
        self._writing.fire()

    def readable(self) -> bool:
        """Say whether receiving or accepting would answer at once, be it with an error."""
        return self.closed or self._is(select.POLLIN)

    def writable(self) -> bool:
        """Say whether sending would answer at once, or connecting is over."""
        return self.closed or self._is(select.POLLOUT)

    def watch_readable(self, wake: Wake) -> Unwatch:
        """Have `wake` called when it becomes readable."""
        return self._watch(self._reading, wake)

    def watch_writable(self, wake: Wake) -> Unwatch:
        """Have `wake` called when it becomes writable."""
        return self._watch(self._writing, wake)

    def _is(self, event: int) -> bool:
        self._poll.modify(self.socket.fileno(), event)
        return bool(self._poll.poll(0))

    def _watch(self, watches: _Watches, wake: Wake) -> Unwatch:
        if self.closed:
            wake()
            return _nothing
        return watches.watch(wake)


def _nothing() -> None:
    pass
