"""`qwasr run` of a command: the standard streams of this process, its signals, an exit code."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from qwasr._log import log_guest_error
from qwasr._signals import StopSignals
from qwasr.command import Command, run_command
from qwasr.errors import GuestError

if TYPE_CHECKING:
    from qwasr.runtime import Runtime

__all__ = ["run_once"]


async def run_once(runtime: Runtime) -> int:
    """Run the command until it ends, or until SIGINT or SIGTERM; return its exit code, 128 and more for a signal."""
    running = asyncio.create_task(run_command(runtime.guest, Command(stdin=0, stdout=1, stderr=2)))
    ended_by: list[int] = []

    def stop(name: str, times: int) -> None:
        ended_by.append(signal.Signals[name])
        running.cancel()

    with StopSignals(stop):
        try:
            return await running
        except asyncio.CancelledError:
            if not ended_by:
                raise
            return 128 + ended_by[0]
        except GuestError as error:
            log_guest_error(runtime.guest.name, error)
            return 1
