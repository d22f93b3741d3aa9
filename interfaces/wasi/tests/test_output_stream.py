"""wasi:io/streams.output-stream: the WIT's rules, on the class itself."""

from __future__ import annotations

import asyncio

import pytest

from interfaces.wasi.tests.doubles import CLOSED, U64_MAX, Inbox, Outbox, ended, now, waiting
from qwasr.errors import GuestTrap
from qwasr.values import Variant, WitError
from qwasr_wasi.bytestreams import BytesSource
from qwasr_wasi.streams import ENDED, InputStream, IoError, OutputStream, StreamClosed, StreamFailed


def test_check_write_permits_at_most_64_kib() -> None:
    assert OutputStream(Outbox(10**9)).check_write() == 65_536


def test_write_takes_all_that_check_write_permits() -> None:
    sink = Outbox(5)
    stream = OutputStream(sink)
    stream.write(b"x" * stream.check_write())
    assert (sink.data, stream.check_write()) == (b"xxxxx", 0)


@pytest.mark.parametrize("room", [0, 5, 65_536])
def test_writing_more_than_permitted_is_a_trap_and_writes_nothing(room: int) -> None:
    sink = Outbox(room)
    with pytest.raises(GuestTrap, match="check-write"):
        OutputStream(sink).write(b"x" * (room + 1))
    assert sink.data == b""


def test_writing_nothing_is_always_permitted() -> None:
    OutputStream(Outbox(0)).write(b"")


def test_write_to_a_closed_stream_says_closed_and_is_no_trap() -> None:
    sink = Outbox()
    sink.end = StreamClosed()
    assert ended(OutputStream(sink).write, b"x" * 100_000) == CLOSED


def test_a_failed_write_is_told_once_and_then_the_stream_is_closed() -> None:
    sink, error = Outbox(), IoError("no")
    stream = OutputStream(sink)
    sink.end = StreamFailed(error)
    assert ended(stream.check_write) == Variant("last-operation-failed", error)
    assert [ended(stream.check_write), ended(stream.write, b"x"), ended(stream.flush)] == [CLOSED] * 3
    assert sink.closed == 1


@pytest.mark.parametrize("length", [3, U64_MAX])
def test_writing_more_zeroes_than_permitted_is_a_trap(length: int) -> None:
    with pytest.raises(GuestTrap):
        OutputStream(Outbox(2)).write_zeroes(length)


def test_write_zeroes_writes_zeroes() -> None:
    sink = Outbox()
    OutputStream(sink).write_zeroes(3)
    assert sink.data == bytes(3)


# --- output-stream: flushing and blocking ----------------------------------------------------------------------------


async def test_until_a_flush_is_done_check_write_permits_nothing() -> None:
    sink = Outbox(slow=True)
    stream = OutputStream(sink)
    stream.write(b"x")
    stream.flush()
    pollable = stream.subscribe()
    assert (stream.check_write(), pollable.ready()) == (0, False)
    task = await waiting(pollable.block())
    sink.change(flushing=False)
    await task
    assert stream.check_write() > 0


async def test_blocking_flush_returns_when_the_flush_is_done() -> None:
    sink = Outbox(slow=True)
    stream = OutputStream(sink)
    stream.write(b"x")
    task = await waiting(stream.blocking_flush())
    sink.change(flushing=False)
    assert await task is None


def test_blocking_flush_of_a_quick_sink_answers_at_once() -> None:
    sink = Outbox()
    assert now(OutputStream(sink).blocking_flush()) is None
    assert sink.flushes == 1


async def test_blocking_flush_tells_a_failure_of_the_flush() -> None:
    sink, error = Outbox(slow=True), IoError("gone")
    task = await waiting(OutputStream(sink).blocking_flush())
    sink.change(end=StreamFailed(error))
    with pytest.raises(WitError) as caught:
        await task
    assert caught.value.value == Variant("last-operation-failed", error)


def test_blocking_write_and_flush_answers_at_once_when_there_is_room() -> None:
    sink = Outbox()
    assert now(OutputStream(sink).blocking_write_and_flush(b"abc")) is None
    assert (sink.data, sink.flushes) == (b"abc", 1)


async def test_blocking_write_and_flush_waits_for_room_and_keeps_the_order() -> None:
    sink = Outbox(2)
    task = await waiting(OutputStream(sink).blocking_write_and_flush(b"abcdef"))
    assert sink.data == b"ab"
    sink.change(room=3)
    await asyncio.sleep(0)
    sink.change(room=9)
    await task
    assert (sink.data, sink.flushes) == (b"abcdef", 1)


async def test_blocking_write_and_flush_waits_for_the_flush() -> None:
    sink = Outbox(slow=True)
    task = await waiting(OutputStream(sink).blocking_write_and_flush(b"abc"))
    sink.change(flushing=False)
    await task


async def test_blocking_write_and_flush_of_nothing_still_flushes() -> None:
    sink = Outbox(0)
    task = await waiting(OutputStream(sink).blocking_write_and_flush(b""))
    sink.change(room=1)
    await task
    assert sink.flushes == 1


async def test_bytes_that_were_taken_are_a_success_even_if_the_stream_closes_after_them() -> None:
    sink = Outbox(slow=True)
    stream = OutputStream(sink)
    task = await waiting(stream.blocking_write_and_flush(b"abc"))
    sink.change(end=StreamClosed())
    assert await task is None
    assert ended(stream.check_write) == CLOSED


def test_blocking_write_and_flush_takes_4096_bytes_and_traps_on_more() -> None:
    stream = OutputStream(Outbox())
    now(stream.blocking_write_and_flush(bytes(4096)))
    with pytest.raises(GuestTrap, match="4096"):
        stream.blocking_write_and_flush(bytes(4097))


@pytest.mark.parametrize("length", [4097, U64_MAX])
def test_blocking_write_zeroes_and_flush_traps_on_more_than_4096(length: int) -> None:
    with pytest.raises(GuestTrap, match="4096"):
        OutputStream(Outbox()).blocking_write_zeroes_and_flush(length)


def test_blocking_write_zeroes_and_flush_writes_zeroes_and_flushes() -> None:
    sink = Outbox()
    now(OutputStream(sink).blocking_write_zeroes_and_flush(4096))
    assert (sink.data, sink.flushes) == (bytes(4096), 1)


async def test_a_cancelled_blocking_write_leaves_no_task_behind() -> None:
    task = await waiting(OutputStream(Outbox(0)).blocking_write_and_flush(b"abc"))
    task.cancel()
    await asyncio.wait([task])
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- splice ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "room", "length", "moved"),
    [(10, 4, 100, 4), (3, 100, 100, 3), (10, 100, 5, 5), (10, 0, 5, 0), (10, 9, 0, 0)],
)
def test_splice_moves_the_least_of_what_is_there_permitted_and_asked_for(
    have: int, room: int, length: int, moved: int
) -> None:
    data = bytes(range(have))
    sink = Outbox(room)
    assert OutputStream(sink).splice(InputStream(Inbox(data)), length) == moved
    assert sink.data == data[:moved]


def test_splice_reports_the_end_of_its_source() -> None:
    assert ended(OutputStream(Outbox()).splice, InputStream(ENDED), 1) == CLOSED


def test_splice_to_a_closed_stream_takes_nothing_from_its_source() -> None:
    source = Inbox(b"kept")
    assert ended(OutputStream(ENDED).splice, InputStream(source), 10) == CLOSED
    assert list(source.pieces) == [b"kept"]


def test_splice_moves_at_most_64_kib() -> None:
    assert OutputStream(Outbox()).splice(InputStream(BytesSource(bytes(100_000))), U64_MAX) == 65_536


async def test_blocking_splice_waits_for_room_and_then_for_bytes() -> None:
    source, sink = Inbox(), Outbox(0)
    task = await waiting(OutputStream(sink).blocking_splice(InputStream(source), 10))
    sink.change(room=5)
    await asyncio.sleep(0)
    assert not task.done()
    source.put(b"abcdefgh")
    assert await task == 5
    assert sink.data == b"abcde"


def test_blocking_splice_answers_at_once_when_both_are_ready() -> None:
    assert now(OutputStream(Outbox()).blocking_splice(InputStream(Inbox(b"abc")), U64_MAX)) == 3


def test_blocking_splice_of_0_bytes_does_not_wait() -> None:
    assert now(OutputStream(Outbox(0)).blocking_splice(InputStream(Inbox()), 0)) == 0
