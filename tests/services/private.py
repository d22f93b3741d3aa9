"""A server process of a test's own, to be killed, paused and started again."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

START_S: Final = 20.0
_POLL_S: Final = 0.01
_END_S: Final = 5.0


class PrivateServer:
    """One server process at a time, always with the same command.

    Args:
        command: what starts it in the foreground.
        folder: where it runs; `server.log` there has what it prints.
        ready: whether it answers.
    """

    def __init__(self, command: Sequence[str], folder: Path, ready: Callable[[], bool]) -> None:
        self._command = list(command)
        self._folder = folder
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Where the system offers it, the server ends with us, however we end; with this thread, so not in any other.
        setpriv = shutil.which("setpriv") if threading.current_thread() is threading.main_thread() else None
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*([setpriv, "--pdeathsig", "KILL"] if setpriv else []), *self._command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        ends_s = time.monotonic() + START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > ends_s:
                self.kill()
                msg = f"{self._command} does not answer:\n{(self._folder / 'server.log').read_text()}"
                raise AssertionError(msg)
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """End it without giving it time for anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it where it is: it keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as a supervisor does, by force when it does not obey."""
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def _signal(self, number: int) -> None:
        if self._process is None:
            msg = "the server does not run"
            raise AssertionError(msg)
        self._process.send_signal(number)
