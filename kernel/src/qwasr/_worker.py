"""A worker: the process that a supervisor starts to serve a component. `workers.py` is the other side.

It is an interpreter of its own, never a fork, and learns what to do from the first message on its channel. It ends when
it is told to, when SIGTERM arrives, and when its supervisor is gone.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qwasr._channel import Channel
from qwasr.errors import QwasrError

if TYPE_CHECKING:
    from qwasr.runtime import Runtime

__all__ = ["main"]


def main() -> None:
    """Serve until the end; the one argument is the file descriptor of the channel."""
    from qwasr.cli.run import loop_factory

    end = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(_main(end))
    sys.exit(code)


async def _main(end: socket.socket) -> int:
    channel = await Channel.open(end)
    settings = await channel.receive()
    if settings is None:
        return 0
    sys.path[:] = settings["path"]  # plug-ins are found where the supervisor finds them
    worker = _Worker(channel, settings)
    listening = asyncio.create_task(worker.listen())
    try:
        return await worker.serve()
    except asyncio.CancelledError:
        return 0  # told to stop, or left alone, before it served
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await channel.close()


class _Worker:
    def __init__(self, channel: Channel, settings: dict[str, Any]) -> None:
        from qwasr._log import configure_logging
        from qwasr.runtime import Runtime
        from qwasr.runtime_options import CommandOptions

        environ: dict[str, str] = settings["environ"]
        options = CommandOptions.from_env(environ)
        configure_logging(options.log_level, options.log_format)
        self._channel = channel
        self._task = asyncio.current_task()
        self._serving = False
        self._checks: set[asyncio.Task[None]] = set()
        self._runtime: Runtime = Runtime(
            settings["component"],
            environ=environ,
            allow_precompiled=options.allow_precompiled,
            trap_unknown_imports=options.trap_unknown_imports,
            workers=settings["workers"],
        )
        self._runtime.listening.update({name: socket.socket(fileno=one) for name, one in settings["listening"].items()})
        self._files = socket.socket(fileno=settings["files"])

    async def serve(self) -> int:
        """Serve until the end, and tell the supervisor how it went."""
        try:
            async with self._runtime:
                self._serving = True
                await self._runtime.serve(on_ready=self._say_ready)
                self._report()  # the last one: what was counted since the one before
        except QwasrError as error:
            self._channel.send(event="failed", message=str(error), code=error.exit_code)
            return error.exit_code
        finally:
            for check in self._checks:
                check.cancel()
        return 0

    async def listen(self) -> None:
        """Do what the supervisor says; when it is gone, stop."""
        while (message := await self._channel.receive()) is not None:
            match message.get("do"):
                case "report":
                    self._report()
                case "check":
                    task = asyncio.create_task(self._check())
                    self._checks.add(task)
                    task.add_done_callback(self._checks.discard)
                case "stop":
                    self._stop(now=message["now"])
        self._stop(now=False)

    def _stop(self, *, now: bool) -> None:
        if self._serving:
            self._runtime.ask_to_stop(now=now)
        elif self._task is not None:
            self._task.cancel()

    def _say_ready(self) -> None:
        runtime = self._runtime
        names = list(runtime.listening)
        if names:
            socket.send_fds(self._files, [b"."], [runtime.listening[name].fileno() for name in names])
        self._files.close()
        lines = [*runtime.describe_bindings(), *runtime.describe_servers()]
        self._channel.send(event="ready", lines=lines, listening=names)

    def _report(self) -> None:
        self._channel.send(event="report", snapshot=self._runtime.snapshot())

    async def _check(self) -> None:
        self._channel.send(event="check", failing=await self._runtime.check() if self._serving else [])


if __name__ == "__main__":
    main()
