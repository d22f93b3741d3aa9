"""The ways in which a call can end, each as a stream of calls over real connections to a server in this process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.hostile import corpus
from tests.hostile.served import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_http.server import HttpServer

__all__ = ["KINDS", "Kind"]

_CLIENTS: Final = 16
_SHORT_S: Final = "0.02"
_CROWD_S: Final = 30.0


class UnexpectedAnswer(Exception):
    """A call did not end as its kind does; figures of other calls would be worth nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to end.

    Attributes:
        name: for the table.
        component: makes the guest.
        target: the request target.
        status: of every answer; 0 for calls whose client goes away before there is one.
        timeout_s: `QWASR_GUEST_TIMEOUT_S`.
    """

    name: str
    component: Callable[[], bytes]
    target: str
    status: int
    timeout_s: str = "30"

    async def calls(self, server: HttpServer, count: int) -> None:
        """Make so many calls, a few at a time.

        Raises:
            UnexpectedAnswer: one of them ended in another way.
        """
        client = self._abandoned if self.status == 0 else self._answered
        share, rest = divmod(count, _CLIENTS)
        async with asyncio.TaskGroup() as group:
            for number in range(_CLIENTS):
                group.create_task(client(server, share + (number < rest)))

    async def crowd(self, server: HttpServer, count: int) -> None:
        """Make so many calls at the same time: later ones need no more memory at once."""
        connections = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
        for _, writer in connections:
            writer.write(self._request)
        if self.status == 0:
            async with asyncio.timeout(_CROWD_S):
                while server.running < count:  # noqa: ASYNC110 - a server tells no one how many calls it runs
                    await asyncio.sleep(0.001)
        else:
            for reader, _ in connections:
                await answer(reader)
        for _, writer in connections:
            await _close(writer)

    @property
    def _request(self) -> bytes:
        return b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % self.target.encode()

    async def _answered(self, server: HttpServer, count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            for _ in range(count):
                writer.write(self._request)
                status, _ = await answer(reader)
                if status != self.status:
                    msg = f"{self.name}: status {status} instead of {self.status}"
                    raise UnexpectedAnswer(msg)
        finally:
            await _close(writer)

    async def _abandoned(self, server: HttpServer, count: int) -> None:
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(self._request)
            for _ in range(20):  # until its guest runs, as far as one can tell with others about
                if server.running:
                    break
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(0)


KINDS: Final = (
    Kind("good call", corpus.component, corpus.path("hello"), 200),
    Kind("trap", corpus.component, corpus.path("body-taken-twice"), 500),
    Kind("deadline", corpus.component, corpus.path("never"), 504, _SHORT_S),
    Kind("client gone", corpus.component, corpus.path("never"), 0),
    Kind("refused instance", corpus.refusing, "/", 500),
)
