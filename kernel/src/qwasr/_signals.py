"""SIGTERM, SIGINT and SIGHUP as callbacks on the event loop."""

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

    Args:
        callback: takes the signal's name and how many stop signals have come.
        hang_up: called at each SIGHUP; without it that signal does what it did.

    Outside of the main thread, where Python takes no signals, and on loops without signal handlers it does nothing.
    """

    __slots__ = ("_callback", "_count", "_hang_up", "_installed", "_loop")

    def __init__(self, callback: Callable[[str, int], None], hang_up: Callable[[], None] | None = None) -> None:
        self._callback = callback
        self._hang_up = hang_up
        self._count = 0
        self._installed: list[signal.Signals] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._loop = asyncio.get_running_loop()
            wanted = _SIGNALS if self._hang_up is None else (*_SIGNALS, signal.SIGHUP)
            for one in wanted:
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
        if one == signal.SIGHUP and self._hang_up is not None:
            self._hang_up()
            return
        self._count += 1
        self._callback(one.name, self._count)
