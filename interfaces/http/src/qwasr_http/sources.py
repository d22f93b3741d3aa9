"""Bodies that are received: an aiohttp `StreamReader`, or anything that reads like one, as a guest's input stream.

What is there is handed over at once; only while a guest polls several things there is a task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from qwasr_http.codes import stream_failed
from qwasr_wasi.poll import Unwatch, Waiters, Wake, wait_until
from qwasr_wasi.streams import MAX_PIECE_BYTES, StreamClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.values import Variant

__all__ = ["Payload", "PayloadSource"]


class Payload(Protocol):
    """The part of aiohttp's `StreamReader` that a `PayloadSource` reads with."""

    def at_eof(self) -> bool:
        """Say whether the end has come and everything was read."""
        ...

    def exception(self) -> BaseException | None:
        """Return what broke the body off."""
        ...

    def read_nowait(self, n: int = -1) -> bytes:
        """Return up to `n` bytes that are there."""
        ...

    async def readany(self) -> bytes:
        """Return at least one byte as soon as there is one, ``b""`` at the end."""
        ...


class PayloadSource:
    """The source of a guest's stream over a body that is being received.

    Args:
        payload: the body.
        code_of: tells the error-code for what broke the body off.
        check: called before bytes go to the guest; it may raise to end the guest's call.
        release: called once, when no one reads any more.

    Attributes:
        closed: no one reads any more.
        failure: what the guest was told about a body that broke off.
        waiting: someone waits for the next bytes.
    """

    __slots__ = (
        "_check",
        "_code_of",
        "_data",
        "_defect",
        "_offset",
        "_payload",
        "_release",
        "_task",
        "_waiters",
        "closed",
        "failure",
        "waiting",
    )

    def __init__(
        self,
        payload: Payload,
        code_of: Callable[[BaseException], Variant],
        check: Callable[[], None] | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._payload = payload
        self._code_of = code_of
        self._check = check
        self._release = release
        self._data = b""
        self._offset = 0
        self._defect: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiters: Waiters | None = None
        self.closed = False
        self.failure: Variant | None = None
        self.waiting = False

    def take(self, limit: int) -> bytes:
        """Return up to `limit` bytes that are there."""
        if self._check is not None:
            self._check()
        if not self.ready() or not limit:
            return b""
        data, offset = self._data, self._offset
        if offset < len(data):
            piece = data[offset : offset + limit]
            if offset + len(piece) == len(data):
                self._data, self._offset = b"", 0
            else:
                self._offset += len(piece)
            return piece
        if self._defect is not None:
            raise self._defect
        failure = self._payload.exception()
        if failure is None or self.failure is not None:
            raise StreamClosed
        self.failure = self._code_of(failure)
        raise stream_failed("the body broke off", self.failure)

    def ready(self) -> bool:
        """Say whether bytes, the end or a failure are there."""
        if self._offset < len(self._data) or self._defect is not None:
            return True
        if self._task is not None:
            return False
        payload = self._payload
        if payload.exception() is not None:
            return True
        self._data, self._offset = payload.read_nowait(MAX_PIECE_BYTES), 0
        return bool(self._data) or payload.at_eof()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready`."""
        if self._waiters is None:
            self._waiters = Waiters()
        if self.ready():
            wake()
        elif self._task is None:
            self._task = asyncio.ensure_future(self._fetch())
        return self._waiters.watch(wake)

    async def wait(self) -> None:
        """Return when `ready`."""
        if self._task is not None:
            await wait_until(self)
        elif not self.ready():
            await self._fill()

    def close(self) -> None:
        """Read no more."""
        self._data, self._offset = b"", 0
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._release is not None:
            release, self._release = self._release, None
            release()

    async def _fill(self) -> None:
        self.waiting = True
        try:
            self._data, self._offset = await self._payload.readany(), 0
        except Exception as failure:  # noqa: BLE001 - kept for the next take, which raises it
            if self._payload.exception() is None:  # else `take` tells the guest what the payload keeps
                self._defect = failure
        finally:
            self.waiting = False

    async def _fetch(self) -> None:
        try:
            await self._fill()
        finally:
            self._task = None
            if self._waiters is not None:
                self._waiters.notify()
