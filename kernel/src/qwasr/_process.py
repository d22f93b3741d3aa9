"""One worker as its supervisor sees it: a process, the channel to it, and what it last said."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from qwasr._channel import Channel

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

__all__ = ["WorkerProcess"]

# Not `-m`, which would put the working folder on the worker's path before it is told the right one.
_PROGRAM: Final = "import sys; sys.path[:] = {path}; from qwasr._worker import main; main()"
_ANSWER_S: Final = 2.0  # a worker that is busy answers within a turn of its loop; one that hangs does not


class WorkerProcess:
    """A worker process.

    Attributes:
        number: which of the workers it is, from 0.
        started: done when it serves (``True``) or has ended before (``False``).
        failure: why it could not start, and the exit code for that; ``None`` when it did not say.
        lines: what it serves and from where, for the user.
        snapshot: what it has counted, when it last reported.
        listening: the sockets that it listens on, by address: handed to its successor.
    """

    def __init__(self, number: int, process: Process, channel: Channel, files: socket.socket) -> None:
        self.number = number
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.failure: tuple[str, int] | None = None
        self.lines: list[str] = []
        self.snapshot: dict[str, Any] = {}
        self.listening: dict[str, socket.socket] = {}
        self._files = files
        self._process = process
        self._channel = channel
        self._answers: dict[str, list[asyncio.Future[dict[str, Any]]]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls,
        number: int,
        component: str,
        environ: Mapping[str, str],
        workers: int,
        listening: Mapping[str, socket.socket] | None = None,
    ) -> Self:
        """Start a worker: a fresh interpreter, which learns its settings where no one can see them.

        It gets a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops the workers. What
        its predecessor listened on it listens on too, so that no connection in the queue of one of them is lost.
        """
        ours, its = socket.socketpair()
        our_files, its_files = socket.socketpair()
        files = {name: one.fileno() for name, one in (listening or {}).items()}
        its_files_number = its_files.fileno()
        program = _PROGRAM.format(path=json.dumps(sys.path))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                program,
                str(its.fileno()),
                pass_fds=(its.fileno(), its_files.fileno(), *files.values()),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            our_files.close()
            raise
        finally:
            its.close()
            its_files.close()
        channel = await Channel.open(ours)
        channel.send(
            component=component,
            environ=dict(environ),
            workers=workers,
            path=sys.path,
            listening=files,
            files=its_files_number,
        )
        return cls(number, process, channel, our_files)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.started.done() and self.started.result() and self._process.returncode is None

    async def ended(self) -> int:
        """Wait until the process has ended and all that it said is heard; return its exit status."""
        status = await self._process.wait()
        await asyncio.wait({self._listening})
        return status

    def stop(self, *, now: bool = False) -> None:
        """Tell it to take nothing new, finish what runs, and end; or to end at once."""
        self._channel.send(do="stop", now=now)

    def kill(self) -> None:
        """End it by force."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def report(self) -> None:
        """Have it report what it has counted; keep the last report when it does not answer."""
        await self._ask("report")

    async def check(self) -> list[tuple[str, str]] | None:
        """Return the backends that it cannot use and why; ``None`` when it does not answer."""
        answer = await self._ask("check")
        return None if answer is None else [(name, reason) for name, reason in answer["failing"]]

    async def _ask(self, what: str) -> dict[str, Any] | None:
        if not self.ready:
            return None
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        waiting = self._answers.setdefault(what, [])
        waiting.append(answer)
        self._channel.send(do=what)
        try:
            return await asyncio.wait_for(answer, _ANSWER_S)
        except (TimeoutError, ConnectionError):
            return None
        finally:
            if answer in waiting:
                waiting.remove(answer)

    async def _listen(self) -> None:
        try:
            while (message := await self._channel.receive()) is not None:
                self._heard(message)
        finally:
            if not self.started.done():
                self.started.set_result(False)
            for waiting in self._answers.values():
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(ConnectionResetError("the worker is gone"))
            self._files.close()
            await self._channel.close()

    def close_listening(self) -> None:
        """Let go of its sockets: when it does so too, no one listens on them any more."""
        for one in self.listening.values():
            one.close()
        self.listening.clear()

    def _heard(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "ready":
            self.lines = message["lines"]
            names: list[str] = message["listening"]
            if names:  # they were sent before this message
                _, descriptors, _, _ = socket.recv_fds(self._files, 1, len(names))
                self.listening = {name: socket.socket(fileno=one) for name, one in zip(names, descriptors, strict=True)}
            if not self.started.done():
                self.started.set_result(True)
        elif event == "failed":
            self.failure = message["message"], message["code"]
        elif event == "report":
            self.snapshot = message["snapshot"]
        for answer in self._answers.pop(event, []):
            if not answer.done():
                answer.set_result(message)
