"""Runs an example as its README says, and asks it for pages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tools.guests import ROOT
from tools.ports import free_port

COLD_START_S = 120.0  # an 18 MB guest is compiled on the first start of all
_COMMAND = re.compile(r"(?P<environ>(?:[A-Z_]+=\S+ )*)\.venv/bin/qwasr (?P<arguments>run [^`]+)`")


@dataclass(frozen=True)
class Command:
    """The `qwasr …` command of a README: its arguments, and the variables before it."""

    arguments: list[str]
    environ: dict[str, str]


@dataclass
class Running:
    """An example that listens: where, and what it has printed so far."""

    address: str
    printed: list[str] = field(default_factory=list)

    async def line(self, pattern: str, within_s: float = 30.0) -> str:
        """The first printed line in which the pattern is found, as soon as there is one."""
        ends_s = time.monotonic() + within_s
        while time.monotonic() < ends_s:
            for line in self.printed:
                if re.search(pattern, line):
                    return line
            await asyncio.sleep(0.02)
        raise AssertionError(f"no line with {pattern} in {within_s} s:\n{''.join(self.printed)}")


def documented_command(name: str) -> Command:
    """The `qwasr …` command in an example's README."""
    text = (ROOT / "examples" / name / "README.md").read_text()
    found = _COMMAND.search(text)
    if found is None:
        msg = f"the README of {name} names no command"
        raise LookupError(msg)
    environ = dict(word.split("=", 1) for word in shlex.split(found["environ"]))
    return Command(shlex.split(found["arguments"]), environ)


@contextlib.asynccontextmanager
async def running(name: str, *further: str, **environ: str) -> AsyncIterator[Running]:
    """Starts the example's command, with further arguments, and ends it with SIGTERM.

    Raises:
        AssertionError: when it ends by itself, does not listen in time, or does not exit with 0.
    """
    example = Running(f"127.0.0.1:{free_port()}")
    command = documented_command(name)
    own = {"HTTP_ADDR": example.address, "QWASR_CACHE_DIR": str(ROOT / "build" / "cache")}
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("qwasr"),
        *command.arguments[:-1],
        *further,
        command.arguments[-1],
        cwd=ROOT,
        env=os.environ | own | command.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reading = asyncio.create_task(_read(process, example))
    try:
        await _listening(process, example.address)
        yield example
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await reading
    assert process.returncode == 0, "".join(example.printed)


@contextlib.asynccontextmanager
async def served(name: str, **environ: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Starts the example's command, and gives a client for its address; raises as `running`."""
    async with running(name, **environ) as example, aiohttp.ClientSession(f"http://{example.address}") as client:
        yield client


async def _read(process: asyncio.subprocess.Process, example: Running) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        example.printed.append(line.decode())


async def _listening(process: asyncio.subprocess.Process, address: str) -> None:
    host, port = address.split(":")
    ends_s = time.monotonic() + COLD_START_S
    while time.monotonic() < ends_s and process.returncode is None:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise AssertionError(f"nobody listens at {address}; exit code {process.returncode}")
