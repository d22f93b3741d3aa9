"""A TCP proxy that makes a network bad: it delays, stalls, cuts and refuses."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

_CHUNK_BYTES: Final = 65536


class Proxy:
    """Passes connections on to a server, in both directions, as long as nothing is wrong.

    Use it as ``async with Proxy(port) as proxy`` and let the client connect to `proxy.port`.

    Args:
        port: where the server listens on 127.0.0.1.

    Attributes:
        port: where the proxy listens on 127.0.0.1.
        delay_s: how long each piece is held back on its way to the server and on its way back.
        connections: how many there were so far.
        cuts_answers: whether each connection is ended instead of passing an answer on.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut_after: int | None = None
        self.port = 0
        self.delay_s = 0.0
        self.connections = 0
        self.cuts_answers = False

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    async def accept(self) -> None:
        """Listen, again after `refuse` on the same port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Listen no longer, and cut what is connected."""
        if self._server is not None:
            self._server.close()
            await self.cut()
            self._server = None

    def stall(self) -> None:
        """Pass nothing on, and keep every connection."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass everything on again, what has come meanwhile included."""
        self._flowing.set()

    async def cut(self) -> None:
        """End every connection at once."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_answers(self, after: int) -> None:
        """End a connection instead of passing an answer on, after so many others: what was asked is done."""
        self._cut_after = after

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass_both(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one of both ends went away, or `cut` was called: that is what a proxy is for
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass_both(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.ensure_future(self._pass(reader, server_writer, answers=False)),
            asyncio.ensure_future(self._pass(server_reader, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server_writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while piece := await reader.read(_CHUNK_BYTES):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            if answers and self.cuts_answers:
                return
            if answers and self._cut_after is not None:
                if not self._cut_after:
                    self._cut_after = None
                    return
                self._cut_after -= 1
            writer.write(piece)
            await writer.drain()
