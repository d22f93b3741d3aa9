"""Runs a tool natively and as a guest, on the same input."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qwasr.command import Command, run_command
from qwasr.runtime import Runtime

Native = Callable[..., "subprocess.CompletedProcess[bytes]"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool did: its exit code, and all that it wrote."""

    code: int
    out: bytes
    err: bytes


class Tools:
    """The tools, with one folder of files for both builds.

    Attributes:
        folder: the files.
    """

    def __init__(
        self, guest_path: Callable[[str], Path], native_path: Callable[[str], Path], folder: Path, cache: Path
    ) -> None:
        self.folder = folder
        self._guest_path = guest_path
        self._native_path = native_path
        self._environ = {"QWASR_CACHE_DIR": str(cache), "QWASR_MOUNTS": f"{folder}:/:rw"}

    def native(self, name: str, *arguments: str, stdin: bytes = b"") -> Outcome:
        """Runs the native build."""
        words = [name, *arguments]  # the guest's first argument is its name, and not a path
        program = self._native_path(name)
        done = subprocess.run(
            words, executable=program, input=stdin, capture_output=True, cwd=self.folder, check=False, timeout=30
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    async def guest(self, name: str, *arguments: str, stdin: bytes = b"") -> Outcome:
        """Runs the component, in this process."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            command = Command(arguments=arguments, stdin=given.fileno(), stdout=out.fileno(), stderr=err.fileno())
            async with Runtime(self._guest_path(name), environ=self._environ) as runtime:
                code = await run_command(runtime.guest, command)
            out.seek(0)
            err.seek(0)
            return Outcome(code, out.read(), err.read())

    async def both(self, name: str, *arguments: str, stdin: bytes = b"") -> Outcome:
        """Runs both; returns what they did, which has to be the same."""
        native = self.native(name, *arguments, stdin=stdin)
        guest = await self.guest(name, *arguments, stdin=stdin)
        assert guest == native
        return guest

    def command(self, name: str, *arguments: str, flags: tuple[str, ...] = ()) -> list[str]:
        """The words that run a component as a user does."""
        return [sys.executable, "-m", "qwasr.cli", "run", *flags, str(self._guest_path(name)), "--", *arguments]

    def environ(self, **variables: str) -> dict[str, str]:
        """The variables of such a process."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("QWASR_")}
        return {**own, **self._environ, **variables}

    def start(
        self, name: str, *arguments: str, flags: tuple[str, ...] = (), streams: int = subprocess.PIPE, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Starts `qwasr run` with pipes on its three streams, or with one descriptor on all of them."""
        command = self.command(name, *arguments, flags=flags)
        environ = self.environ(**variables)
        return subprocess.Popen(command, stdin=streams, stdout=streams, stderr=streams, env=environ, bufsize=0)


def interrupt(process: subprocess.Popen[bytes], one: signal.Signals = signal.SIGINT) -> int:
    """Sends a signal, and returns the exit code."""
    process.send_signal(one)
    return process.wait(10)


def reads(process: subprocess.Popen[bytes], expected: bytes) -> None:
    """Reads exactly these bytes, or fails within 20 s."""
    assert process.stdout is not None
    read = b""
    while len(read) < len(expected):
        assert select.select([process.stdout], [], [], 20)[0], f"no {expected!r}"
        piece = process.stdout.read(len(expected) - len(read))
        assert piece, f"{read!r} and the end"
        read += piece
    assert read == expected
