"""The system's resolver for guests, in threads of its own.

A name server that does not answer holds a thread for half a minute, and nothing can end the thread. In the event loop's
own pool some few such look-ups would hold up the host, whose backends look up names there too; and that pool is waited
for at the end, so the process could not stop. These threads serve guests alone, and no one waits for them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, Final

__all__ = ["AddressInfo", "GuestResolver"]

AddressInfo = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]]
"""What `socket.getaddrinfo` returns."""

_NAME: Final = "qwasr-resolver"


class GuestResolver:
    """Looks up names; a thread lives as long as there is something to look up.

    Args:
        threads: how many look-ups run at once; further ones wait.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._running = 0
        self._waiting: deque[tuple[Future[AddressInfo], str, int, dict[str, int]]] = deque()
        self._lock = threading.Lock()  # over both

    async def getaddrinfo(self, host: str, port: int = 0, **hints: int) -> AddressInfo:
        """Return what `socket.getaddrinfo` does; when the wait is cancelled a look-up ends unobserved.

        Args:
            host: the name.
            port: of the addresses.
            hints: `family`, `type`, `proto` and `flags`.

        Raises:
            OSError: it cannot be resolved.
        """
        future: Future[AddressInfo] = Future()
        with self._lock:
            self._waiting.append((future, host, port, hints))
            start = self._running < self._threads
            self._running += start
        if start:
            threading.Thread(target=self._work, name=_NAME, daemon=True).start()
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                future, host, port, hints = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                found: Any = socket.getaddrinfo(host, port, **hints)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)
            else:
                future.set_result(found)
            del future  # it holds its loop, and the thread may hang at the next name
