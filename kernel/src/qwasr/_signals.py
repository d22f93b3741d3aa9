"""SIGTERM and SIGINT as a callback on the event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StopSignals"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While the block lasts, each stop signal calls back with its name and how many have come.

    Outside of the main thread, where Python takes no signals, and on loops without signal handlers it does nothing.
    """

    __slots__ = ("_callback", "_count", "_installed", "_loop")

    def __init__(self, callback: Callable[[str, int], None]) -> None:
        self._callback = callback
        self._count = 0
        self._installed: list[signal.Signals] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._loop = asyncio.get_running_loop()
            for one in _SIGNALS:
                try:
                    self._loop.add_signal_handler(one, self._received, one)
                except NotImplementedError:
                    break
                self._installed.append(one)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._installed:
            if self._loop is not None:
                self._loop.remove_signal_handler(one)

    def _received(self, one: signal.Signals) -> None:
        self._count += 1
        self._callback(one.name, self._count)
