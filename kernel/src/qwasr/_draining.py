"""How servers are drained: all at once, and after them those that serve what the others cause."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.protocols import Server

__all__ = ["Draining"]

_logger = logging.getLogger("qwasr.runtime")
_GRACE_S = 1.0  # a server keeps to its time by itself; this is for one that does not


class Draining:
    """The draining of one runtime's servers."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurried = False

    async def drain(self, servers: Sequence[Server], timeout_s: float) -> None:
        """Drain servers.

        Args:
            servers: the servers.
            timeout_s: how long all of them may take, in seconds.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        last = [server for server in servers if getattr(server, "drains_last", False)]
        try:
            await self._drain_all([server for server in servers if server not in last], timeout_s)
            await self._drain_all(last, max(0.0, timeout_s - (loop.time() - began_s)))
        finally:
            self._cancel()

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._hurried = True
        self._cancel()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _drain_all(self, servers: Sequence[Server], timeout_s: float) -> None:
        if servers and not self._hurried:
            tasks = {asyncio.create_task(_drain(server, timeout_s)) for server in servers}
            self._tasks |= tasks
            await asyncio.wait(tasks, timeout=timeout_s + _GRACE_S)


async def _drain(server: Server, timeout_s: float) -> None:
    try:
        await server.drain(timeout_s)
    except Exception:
        _logger.exception("the server of %s does not drain cleanly", server.export)
