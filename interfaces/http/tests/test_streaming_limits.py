"""A response that streams has no end to wait for: its pauses are limited, and each piece counts anew."""

from __future__ import annotations

import asyncio
import logging

import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import Connect, Serve
from interfaces.http.tests.http_guests import _START

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"

# begins its response, and forgets to go on
HANGS = f"{_START} (call $write-all (local.get $c) %text) (call $sleep (i64.const 3600000000000))"
# sends ten pieces, with a pause before each
PAUSES = f"""{_START}
  (loop $next
    (call $sleep (i64.const 300000000))
    (call $write-all (local.get $c) %text)
    (br_if $next (i32.lt_u (local.tee $d (i32.add (local.get $d) (i32.const 1))) (i32.const 10))))
  (call $finish (local.get $c) (local.get $b))"""
# sends two hundred, and computes for some milliseconds before each
COMPUTES = f"""{_START}
  (loop $next
    (local.set $e (i32.const 0))
    (loop $on (br_if $on (i32.lt_u (local.tee $e (i32.add (local.get $e) (i32.const 1))) (i32.const 10000000))))
    (call $write-all (local.get $c) %text)
    (br_if $next (i32.lt_u (local.tee $d (i32.add (local.get $d) (i32.const 1))) (i32.const 200))))
  (call $finish (local.get $c) (local.get $b))"""


async def test_a_guest_that_does_not_go_on_with_its_response_is_ended_and_its_client_cut(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(guests.guest(HANGS, text="first"), QWASR_BODY_IDLE_S="0.3")
    client = await connect(server)
    await client.send(GET)
    assert (await client.head())[0] == 200
    with caplog.at_level(logging.INFO):
        async with asyncio.timeout(20):
            assert await client.reader.read() == b"5\r\nfirst\r\n"  # no last chunk: nobody takes it for the whole
            while server.running:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
    assert "the guest wrote nothing of its response for 0.3 s (QWASR_BODY_IDLE_S)" in caplog.text


async def test_a_response_may_take_longer_than_its_pauses_and_the_deadline(serve: Serve, connect: Connect) -> None:
    limits = {"QWASR_BODY_IDLE_S": "2", "QWASR_GUEST_TIMEOUT_S": "2"}
    client = await connect(await serve(guests.guest(PAUSES, text="piece"), **limits))
    await client.send(GET)
    assert (await client.answer()).body == b"piece" * 10


async def test_the_body_that_a_guest_writes_in_answer_to_head_is_no_pause(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(guests.guest(PAUSES, text="piece"), QWASR_BODY_IDLE_S="1.2", QWASR_GUEST_TIMEOUT_S="20")
    client = await connect(server)
    with caplog.at_level(logging.INFO, "qwasr.access"):
        await client.send(GET.replace(b"GET", b"HEAD"))
        async with asyncio.timeout(20):
            while not caplog.records:  # noqa: ASYNC110 - the line follows the guest's end
                await asyncio.sleep(0.01)
    assert vars(caplog.records[-1])["end"] is None


async def test_each_piece_that_is_sent_gives_the_guest_its_time_to_compute_anew(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(await serve(guests.guest(COMPUTES, text="piece"), QWASR_GUEST_CPU_S="0.5"))
    with caplog.at_level(logging.INFO, "qwasr.access"):
        await client.send(GET)
        async with asyncio.timeout(50):
            assert (await client.answer()).body == b"piece" * 200
            while not caplog.records:  # noqa: ASYNC110 - the line follows the answer
                await asyncio.sleep(0.01)
    assert vars(caplog.records[-1])["cpu_ms"] > 500, "it computed for less than the limit, which shows nothing"
