"""The same guests and clients over TLS, and against several workers: nothing ends in another way there."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hostile import corpus
from tests.hostile.test_clients import AMBIGUOUS, SMUGGLED, everything
from tests.hostile.test_corpus import PEAK_BYTES, REASONS, STEADY_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.hostile.served import Served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture
async def served(elsewhere: Served) -> AsyncIterator[Served]:
    """The process, which has to be unharmed afterwards, as has each of its workers."""
    if elsewhere.workers:
        async with asyncio.timeout(20):
            await elsewhere.until_all_serve()
    await elsewhere.ask(corpus.path("hello"))
    serving, files = elsewhere.serving(), elsewhere.open_files()
    yield elsewhere
    await elsewhere.disconnect()
    answers = await asyncio.gather(*(elsewhere.ask(corpus.path("hello")) for _ in range(12)))
    assert answers == [(200, b"hello")] * 12
    assert elsewhere.serving() == serving, "no worker was lost"
    assert elsewhere.memory_bytes() < STEADY_BYTES
    assert elsewhere.peak_memory_bytes() < PEAK_BYTES
    assert "Traceback" not in elsewhere.log()
    await elsewhere.until_closed(files)


async def test_hostile_guests_end_as_documented_one_after_another(served: Served) -> None:
    for name in corpus.CASES:
        before = len(served.log())
        assert (await served.ask(corpus.path(name)))[0] == corpus.EXPECTED[name], name
        assert REASONS.get(name, "") in served.log()[before:], name
        assert await served.ask(corpus.path("hello")) == (200, b"hello"), name


async def test_hostile_guests_all_at_once_leave_no_mark(served: Served) -> None:
    names = [*corpus.CASES] * 2
    answers = await asyncio.gather(*(served.ask(corpus.path(name), timeout_s=40) for name in names))
    busy = {503, 504}  # with so many at once, one that would have ended by itself may not get its turn in time
    for name, (status, _) in zip(names, answers, strict=True):
        assert status in {corpus.EXPECTED[name], *busy}, name


async def test_requests_that_two_programs_could_read_differently_are_refused(served: Served) -> None:
    async def refused(shape: str) -> None:
        received, closed = await everything(served, AMBIGUOUS[shape] + SMUGGLED * 3, wait_s=5.0)
        assert closed, shape
        assert not received or received[9:13] in (b"400 ", b"200 "), shape
        assert b"smuggled" not in received, shape

    await asyncio.gather(*map(refused, AMBIGUOUS))


async def test_clients_that_go_away_at_any_moment_leave_nothing(served: Served) -> None:
    for name in ("hello", "never", "flood", "loop", "echo"):
        request = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody" % corpus.path(name).encode()
        for cut in (10, len(request) - 6, len(request)):
            for wait_s in (0.0, 0.005):
                _, writer = await served.connect()
                writer.write(request[:cut])
                await asyncio.sleep(wait_s)
                writer.transport.abort()


async def test_clients_that_stand_still_are_cut_and_the_others_served(served: Served) -> None:
    connections = [await served.connect() for _ in range(60)]
    flood = b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % corpus.path("flood").encode()
    body = b"POST %b HTTP/1.1\r\nHost: here\r\nContent-Length: 99\r\n\r\nsome" % corpus.path("echo").encode()
    for number, (reader, writer) in enumerate(connections):
        writer.write((flood, body, b"GET / HTT")[number % 3])
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # it takes nothing from now on
    async with asyncio.timeout(20):
        while (await served.ask(corpus.path("hello")))[0] != 200:  # noqa: ASYNC110 - slots that are free tell no one
            await asyncio.sleep(0.2)
