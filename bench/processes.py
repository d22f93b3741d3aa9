"""Servers as processes: started on a core of their own, awaited until they answer, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from bench.machine import usable_cores

__all__ = ["ROOT", "Failed", "cpu_s", "environment", "first_answer", "pinned", "server"]

ROOT: Final = Path(__file__).resolve().parent.parent
_POLL_S: Final = 0.002
_END_S: Final = 5.0
_TAIL_LINES: Final = 5
# Without bytecode on disk, which an installed program has, every start compiles every module: 0.25 s of computing.
_LEFT_OUT: Final = ("QWASR_", "HTTP_", "LOG_FORMAT", "PYTHONDONTWRITEBYTECODE")


class Failed(Exception):
    """A program did not do what it was started for; the message holds the end of what it printed."""


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with these variables, and without any that would configure qwasr or Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return kept | variables


def cpu_s(process_id: int) -> float | None:
    """Return how long a server's process and those of its group have computed, in seconds, where the system tells."""
    ticks, known = 0, False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[2]) == process_id:
                ticks += int(fields[11]) + int(fields[12])
                known = True
    return ticks / os.sysconf("SC_CLK_TCK") if known else None


@contextlib.contextmanager
def pinned(which: int) -> Iterator[None]:
    """Let processes that the block starts run on one core: 0 is for servers, 1 for load; a single core is shared."""
    cores = usable_cores()
    if not hasattr(os, "sched_setaffinity") or len(cores) < 2:
        yield
        return
    os.sched_setaffinity(0, {cores[which]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def server(
    command: Sequence[str | Path],
    port: int,
    *,
    env: Mapping[str, str],
    target: str = "/",
    ready_s: float = 120,
    core: int | None = 0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, wait for its first answer, and end it with everything that it started when the block is left.

    Args:
        command: the program and its arguments.
        port: where it will answer.
        env: its environment.
        target: what to ask it for.
        ready_s: how long to wait for the answer.
        core: which core it runs on, see `pinned`; None for all of them.

    Raises:
        Failed: it ended, or did not answer in time.
    """
    with tempfile.TemporaryFile() as output, _started(command, env, core, output) as process:
        if first_answer(process, port, ready_s, target) is None:
            output.seek(0)
            lines = [line.strip() for line in output.read().decode("utf-8", "replace").strip().splitlines()]
            said = [line for line in lines if "Error: " in line][-1:] or lines[-_TAIL_LINES:]
            msg = f"{Path(command[0]).name} does not answer: {' / '.join(said) or 'it printed nothing'}"
            raise Failed(msg)
        yield process


@contextlib.contextmanager
def _started(
    command: Sequence[str | Path], env: Mapping[str, str], core: int | None, output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    with contextlib.nullcontext() if core is None else pinned(core):
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,  # where `python -m bench.…` is found
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that it can be ended with its children
        )
    try:
        yield process
    finally:
        _end(process)


def first_answer(process: subprocess.Popen[bytes], port: int, limit_s: float, target: str = "/") -> float | None:
    """Return when the process first answered a request, on `time.perf_counter`, or None when it did not in time."""
    end_s = time.perf_counter() + limit_s
    while process.poll() is None and time.perf_counter() < end_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=limit_s) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            if connection.recv(64).startswith(b"HTTP/1.1 200"):
                return time.perf_counter()
        time.sleep(_POLL_S)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):  # what is left of the group, also when this wait was interrupted
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
