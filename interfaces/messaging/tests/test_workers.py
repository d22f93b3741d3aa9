"""Several workers handle the messages of one file, and one that is killed loses none; through `qwasr run`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from interfaces.messaging.tests.guest_text import HANDLING
from qwasr_messaging import Message, Policy, Sqlite, SqliteOptions

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 200


async def run(folder: Path, *options: str, **environ: str) -> asyncio.subprocess.Process:
    component = folder / "guest.wat"
    component.write_bytes(HANDLING)
    settings = {"MESSAGING_TOPICS": "in.*", "QWASR_CACHE_DIR": str(folder), "QWASR_GUEST_TIMEOUT_S": "1"} | environ
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "qwasr.cli", "run", *options, str(component)),
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def until_it_serves(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines = ""
    while "serves wasi:messaging/incoming-handler" not in lines:
        line = await process.stdout.readline()
        assert line, lines
        lines += line.decode()
    return lines


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123 - Linux's own
        return [int(child) for child in file.read().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the workers in /proc")
async def test_two_workers_share_a_file_and_one_that_is_killed_loses_no_message(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/broker.db"
    broker = await Sqlite.connect(SqliteOptions(url=url))
    seen = await broker.subscribe("test", ["seen"], Policy())
    process = await run(tmp_path, "--workers", "2", QWASR_MESSAGING=url, MESSAGING_CONCURRENCY="4")
    try:
        lines = await until_it_serves(process)
        assert "at the topics in.*" in lines
        for number in range(COUNT):
            await broker.publish("in.a", Message(b"%d" % number))
            if number == COUNT // 2:
                os.kill(children(process.pid)[0], signal.SIGKILL)
        found: set[int] = set()
        async with asyncio.timeout(30):
            while len(found) < COUNT:
                delivery = await seen.receive()
                assert delivery is not None
                found.add(int(delivery.message.data))
                await delivery.ack()
        assert found == set(range(COUNT))
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
        await broker.close()
    assert process.returncode == 0, output.decode()


async def test_workers_with_a_broker_in_memory_are_refused(tmp_path: Path) -> None:
    process = await run(tmp_path, "--workers", "2")
    output, _ = await process.communicate()
    assert process.returncode == 2, output.decode()
    assert "QWASR_MESSAGING=sqlite" in output.decode()


async def test_a_handler_without_topics_ends_with_a_sentence(tmp_path: Path) -> None:
    process = await run(tmp_path, MESSAGING_TOPICS="")
    output, _ = await process.communicate()
    assert process.returncode == 6, output.decode()
    assert "say in MESSAGING_TOPICS what it handles" in output.decode()


@pytest.mark.parametrize("poll_s", ["0.02", "2"])
async def test_a_process_that_has_no_time_to_stop_ends_in_order(tmp_path: Path, poll_s: str) -> None:
    url = f"sqlite:///{tmp_path}/broker.db"
    hasty = {"QWASR_SHUTDOWN_S": "0", "QWASR_MESSAGING_SQLITE_POLL_S": poll_s}
    process = await run(tmp_path, QWASR_MESSAGING=url, **hasty)
    await until_it_serves(process)
    process.send_signal(signal.SIGTERM)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "Traceback" not in output.decode()
