"""Each limit that a variable sets, met by a guest or a client that goes for it, in a process that has it low."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.hostile import corpus
from tests.hostile.served import Served, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@contextmanager
def limited(component: Path, folder: Path, **environ: str) -> Iterator[Served]:
    with serve(component, folder, **environ) as served:
        yield served
        assert served.alive


async def test_computing_ends_with_its_own_limit_and_waiting_does_not_count(corpus_path: Path, tmp_path: Path) -> None:
    limits = {"QWASR_GUEST_CPU_S": "0.5", "QWASR_GUEST_TIMEOUT_S": "3"}
    with limited(corpus_path, tmp_path, **limits) as served:
        for name in ("loop", "host-call-storm"):
            before = len(served.log())
            assert (await served.ask(corpus.path(name)))[0] == 504
            assert "QWASR_GUEST_CPU_S" in served.log()[before:]
        before = len(served.log())
        assert (await served.ask(corpus.path("never")))[0] == 504
        assert "QWASR_GUEST_TIMEOUT_S" in served.log()[before:]
        assert await served.ask(corpus.path("hello")) == (200, b"hello")


async def test_fuel_runs_out_for_a_loop_and_suffices_for_a_greeting(corpus_path: Path, tmp_path: Path) -> None:
    with limited(corpus_path, tmp_path, QWASR_GUEST_FUEL="100000") as served:
        for name in ("loop", "recursion"):
            status, _ = await served.ask(corpus.path(name))
            assert status in (500, 504)
        assert "QWASR_GUEST_FUEL" in served.log()
        for _ in range(3):  # each call has its own
            assert await served.ask(corpus.path("hello")) == (200, b"hello")


async def test_more_calls_than_run_and_wait_are_refused_at_once_and_told_when_to_come_back(
    corpus_path: Path, tmp_path: Path
) -> None:
    limits = {
        "QWASR_CONCURRENCY": "2",
        "QWASR_QUEUE": "3",
        "QWASR_QUEUE_TIMEOUT_S": "2",
        "QWASR_GUEST_TIMEOUT_S": "5",
    }
    with limited(corpus_path, tmp_path, **limits) as served:
        loop = asyncio.get_running_loop()

        async def ask() -> tuple[int, float]:
            began_s = loop.time()
            status, _ = await served.ask(corpus.path("never"))
            return status, loop.time() - began_s

        answers = await asyncio.gather(*(ask() for _ in range(12)))
        statuses = sorted(status for status, _ in answers)
        assert statuses == [503] * 10 + [504] * 2
        refused = sorted(took_s for status, took_s in answers if status == 503)
        assert refused[6] < 1.9, "seven find no place in the queue"
        assert all(1.9 < took_s < 4.9 for took_s in refused[7:]), "three wait in vain"
        endless = [asyncio.create_task(served.ask(corpus.path("never"))) for _ in range(5)]
        reader, writer = await served.connect()
        head = b""
        while b" 503 " not in head:  # the others may not have come yet
            writer.write(b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % corpus.path("silent").encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readuntil(b"}")
        assert b"retry-after: 2\r\n" in head
        await asyncio.gather(*endless)
        assert await served.ask(corpus.path("hello")) == (200, b"hello")
        await served.disconnect()


async def test_a_guest_holds_as_many_host_resources_as_the_variable_says(corpus_path: Path, tmp_path: Path) -> None:
    with limited(corpus_path, tmp_path, QWASR_GUEST_RESOURCES="50") as served:
        assert (await served.ask(corpus.path("hoard")))[0] == 500
        assert "holds 50 host resources" in served.log()
        assert await served.ask(corpus.path("hello")) == (200, b"hello")


async def test_a_guest_that_prints_without_end_is_cut_with_a_note(
    guest_path: Callable[[str], Path], tmp_path: Path
) -> None:
    limits = {"QWASR_GUEST_LOG_BYTES": "4096", "QWASR_GUEST_TIMEOUT_S": "1.5"}
    with limited(guest_path("hostile"), tmp_path, **limits) as served:
        for case in ("w", "n", "N"):
            before = len(served.log())
            assert (await served.ask(f"/{case}"))[0] == 504
            log = served.log()[before:]
            assert len(log) < 64 * 1024
            assert "QWASR_GUEST_LOG_BYTES" in log
        assert await served.ask("/h") == (200, b"")


async def test_a_head_that_takes_too_long_is_a_408_though_bytes_keep_coming(corpus_path: Path, tmp_path: Path) -> None:
    with limited(corpus_path, tmp_path, QWASR_HTTP_HEAD_TIMEOUT_S="0.3") as served:

        async def trickle() -> bytes:
            reader, writer = await served.connect()
            answered = asyncio.create_task(reader.readline())
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
            while not answered.done():
                writer.write(b"a")
                await asyncio.wait({answered}, timeout=0.02)
            return answered.result()

        async with asyncio.timeout(5):
            first_lines = await asyncio.gather(*(trickle() for _ in range(20)))
        assert {line[9:12] for line in first_lines} == {b"408"}
        assert await served.ask(corpus.path("hello")) == (200, b"hello")
        await served.disconnect()
