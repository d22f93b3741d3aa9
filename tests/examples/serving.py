"""Runs an example as its README says, and asks it for pages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tools.guests import ROOT
from tools.ports import free_port

COLD_START_S = 120.0  # an 18 MB guest is compiled on the first start of all


def documented_command(name: str) -> list[str]:
    """The `qwasr …` command in an example's README, as a list of arguments."""
    text = (ROOT / "examples" / name / "README.md").read_text()
    found = re.search(r"\.venv/bin/qwasr ([^`]+)`", text)
    if found is None:
        msg = f"the README of {name} names no command"
        raise LookupError(msg)
    return found[1].split()


@contextlib.asynccontextmanager
async def served(name: str, **environ: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Starts the example's command, gives a client for its address, and ends it with SIGTERM.

    Raises:
        AssertionError: when it ends by itself, does not listen in time, or does not exit with 0.
    """
    address = f"127.0.0.1:{free_port()}"
    own = {"HTTP_ADDR": address, "QWASR_CACHE_DIR": str(ROOT / "build" / "cache")}
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("qwasr"),
        *documented_command(name),
        cwd=ROOT,
        env=os.environ | own | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _listening(process, address)
        async with aiohttp.ClientSession(f"http://{address}") as client:
            yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


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
    if process.returncode is None:
        process.kill()
    output, _ = await process.communicate()
    raise AssertionError(output.decode())
