"""Ready-made sources and sinks: what they promise to streams, and to whoever made them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr.values import Variant, WitError
from qwasr_wasi.bytestreams import BufferedSink, BytesSource, PullSource
from qwasr_wasi.poll import wait_until
from qwasr_wasi.streams import InputStream, IoError, OutputStream, StreamClosed, StreamFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Pieces:
    """A coroutine function that returns pieces, each after a turn of the loop or when it is let go."""

    def __init__(self, *pieces: bytes | Exception, held: bool = False) -> None:
        self.pieces = list(pieces)
        self.go = asyncio.Event()
        self.calls = 0
        self.tasks: set[asyncio.Task[None] | None] = set()
        self.cancelled = 0
        if not held:
            self.go.set()

    async def __call__(self) -> bytes:
        self.calls += 1
        self.tasks.add(asyncio.current_task())
        try:
            await asyncio.sleep(0)
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


class Wire:
    """A coroutine function that sends pieces, each after a turn of the loop or when it is let go."""

    def __init__(self, *, held: bool = False, failure: BaseException | None = None) -> None:
        self.sent: list[bytes] = []
        self.go = asyncio.Event()
        self.failure = failure
        self.tasks: set[asyncio.Task[None] | None] = set()
        if not held:
            self.go.set()

    async def __call__(self, data: bytes) -> None:
        self.tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        self.sent.append(data)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def awaited(result: object) -> object:
    return await result if asyncio.iscoroutine(result) else result


async def read_all(stream: InputStream, limit: int) -> bytes:
    data = b""
    while True:
        try:
            data += await awaited(stream.blocking_read(limit))  # type: ignore[operator]  # bytes
        except WitError as end:
            if end.value != Variant("closed"):
                raise
            return data


# --- BytesSource -----------------------------------------------------------------------------------------------------


def test_fixed_bytes_come_out_in_pieces_and_then_end() -> None:
    source = BytesSource(b"abcde")
    assert [source.take(2), source.take(0), source.take(9)] == [b"ab", b"", b"cde"]
    with pytest.raises(StreamClosed):
        source.take(0)


# --- PullSource ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_pulled_pieces_arrive_whole_and_in_order(limit: int) -> None:
    assert await read_all(InputStream(PullSource(Pieces(b"abc", b"d", b"efgh"))), limit) == b"abcdefgh"


async def test_a_blocking_read_fetches_in_its_own_task() -> None:
    pieces = Pieces(b"abc")
    await read_all(InputStream(PullSource(pieces)), 10)
    assert pieces.tasks == {asyncio.current_task()}


async def test_a_guest_that_only_looks_gets_its_bytes_too() -> None:
    stream = InputStream(PullSource(Pieces(b"abc")))
    assert stream.read(10) == b""
    await turns()
    assert stream.read(10) == b"abc"


async def test_a_guest_that_polls_gets_its_bytes() -> None:
    stream = InputStream(PullSource(Pieces(b"abc")))
    await awaited(stream.subscribe().block())
    assert stream.read(10) == b"abc"


async def test_one_piece_is_fetched_at_a_time_and_none_before_it_is_wanted() -> None:
    pieces = Pieces(b"abc", b"def")
    stream = InputStream(PullSource(pieces))
    await turns()
    assert pieces.calls == 0
    for _ in range(3):
        stream.read(1)
        await turns(1)
    await turns()
    assert pieces.calls == 1


async def test_a_blocking_read_after_a_poll_waits_for_the_same_fetch() -> None:
    pieces = Pieces(b"abc", held=True)
    source = PullSource(pieces)
    stream = InputStream(source)
    assert not stream.subscribe().ready()
    await turns()
    reading = asyncio.ensure_future(awaited(stream.blocking_read(10)))
    await turns()
    pieces.go.set()
    assert await reading == b"abc"
    assert pieces.calls == 1


@pytest.mark.parametrize("polled", [False, True])
async def test_dropping_the_stream_ends_its_fetch(polled: bool) -> None:
    pieces = Pieces(b"abc", held=True)
    stream = InputStream(PullSource(pieces))
    stream.read(1)
    if polled:
        await turns()
    stream.drop()
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (pieces.calls, pieces.cancelled) == ((1, 1) if polled else (0, 0))


async def test_a_cancelled_blocking_read_cancels_its_fetch() -> None:
    pieces = Pieces(b"abc", held=True)
    stream = InputStream(PullSource(pieces))

    async def guest() -> None:
        await awaited(stream.blocking_read(1))

    task = asyncio.ensure_future(guest())
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert pieces.cancelled == 1


async def test_a_fetch_that_loses_its_connection_is_a_failed_operation() -> None:
    stream = InputStream(PullSource(Pieces(ConnectionResetError(104, "Connection reset by peer"))))
    with pytest.raises(WitError) as caught:
        await awaited(stream.blocking_read(1))
    assert caught.value.value.case == "last-operation-failed"
    assert caught.value.value.value.to_debug_string() == "Connection reset by peer"


async def test_a_failed_fetch_keeps_the_error_that_it_named() -> None:
    error = IoError("too slow", kind="wasi:http/types", code=Variant("connection-timeout"))
    stream = InputStream(PullSource(Pieces(StreamFailed(error))))
    with pytest.raises(WitError) as caught:
        await awaited(stream.blocking_read(1))
    assert caught.value.value == Variant("last-operation-failed", error)


async def test_a_defect_in_a_fetch_is_the_hosts_fault_and_not_an_end() -> None:
    stream = InputStream(PullSource(Pieces(ZeroDivisionError())))
    await awaited(stream.subscribe().block())
    with pytest.raises(ZeroDivisionError):
        stream.read(1)


# --- BufferedSink ----------------------------------------------------------------------------------------------------


async def test_small_writes_go_out_as_one_piece_when_flushed() -> None:
    wire = Wire()
    stream = OutputStream(BufferedSink(wire))
    for piece in (b"ab", b"c", b"def"):
        stream.write(piece)
    await turns()
    assert wire.sent == []
    await awaited(stream.blocking_flush())
    assert wire.sent == [b"abcdef"]


async def test_a_blocking_flush_sends_in_its_own_task() -> None:
    wire = Wire()
    await awaited(OutputStream(BufferedSink(wire)).blocking_write_and_flush(b"abc"))
    assert wire.tasks == {asyncio.current_task()}


async def test_a_flush_sends_while_the_guest_does_something_else() -> None:
    wire = Wire()
    stream = OutputStream(BufferedSink(wire))
    stream.write(b"abc")
    stream.flush()
    assert stream.check_write() == 0
    await turns()
    assert (wire.sent, stream.check_write()) == ([b"abc"], 65_536)


async def test_a_full_buffer_is_sent_without_a_flush() -> None:
    wire = Wire()
    stream = OutputStream(BufferedSink(wire, limit_bytes=4))
    stream.write(b"abcd")
    assert stream.check_write() == 0
    await awaited(stream.subscribe().block())
    assert (wire.sent, stream.check_write()) == ([b"abcd"], 4)


async def test_what_is_written_grows_no_further_than_the_buffer_while_the_wire_is_slow() -> None:
    wire = Wire(held=True)
    stream = OutputStream(BufferedSink(wire, limit_bytes=4))
    stream.write(b"abcd")
    await turns()
    assert stream.check_write() == 0
    wire.go.set()
    await turns()
    assert stream.check_write() == 4


async def test_a_flush_of_nothing_is_done_at_once() -> None:
    stream = OutputStream(BufferedSink(Wire()))
    assert stream.blocking_flush() is None


async def test_a_lost_connection_is_told_by_the_blocking_write() -> None:
    stream = OutputStream(BufferedSink(Wire(failure=BrokenPipeError(32, "Broken pipe"))))
    with pytest.raises(WitError) as caught:
        await awaited(stream.blocking_write_and_flush(b"abc"))
    assert caught.value.value.value.to_debug_string() == "Broken pipe"


async def test_a_connection_lost_in_the_background_is_told_by_the_next_call() -> None:
    stream = OutputStream(BufferedSink(Wire(failure=BrokenPipeError(32, "Broken pipe"))))
    stream.write(b"abc")
    stream.flush()
    await turns()
    with pytest.raises(WitError) as caught:
        stream.check_write()
    assert caught.value.value.case == "last-operation-failed"


async def test_a_dropped_stream_still_sends_what_was_written() -> None:
    wire = Wire()
    sink = BufferedSink(wire)
    stream = OutputStream(sink)
    stream.write(b"abc")
    stream.drop()
    await sink.finish()
    assert wire.sent == [b"abc"]


@pytest.mark.parametrize("prepare", [lambda stream: None, OutputStream.flush], ids=["gathered", "flushing"])
async def test_finish_returns_when_everything_is_sent(prepare: Callable[[OutputStream], None]) -> None:
    wire = Wire()
    sink = BufferedSink(wire)
    stream = OutputStream(sink)
    stream.write(b"abc")
    prepare(stream)
    await sink.finish()
    assert wire.sent == [b"abc"]


async def test_finish_tells_a_failure_that_the_guest_did_not_hear_of() -> None:
    sink = BufferedSink(Wire(failure=BrokenPipeError(32, "Broken pipe")))
    OutputStream(sink).write(b"abc")
    with pytest.raises(StreamFailed, match="Broken pipe"):
        await sink.finish()


async def test_abort_throws_away_what_is_not_sent_and_wakes_who_waits() -> None:
    wire = Wire(held=True)
    sink = BufferedSink(wire)
    stream = OutputStream(sink)
    stream.write(b"abc")
    stream.flush()
    await turns()
    waiting = asyncio.ensure_future(wait_until(stream))
    await turns()
    sink.abort()
    await waiting
    await turns()
    assert (wire.sent, asyncio.all_tasks()) == ([], {asyncio.current_task()})
    with pytest.raises(WitError):
        stream.write(b"more")


async def test_after_a_cancelled_send_nothing_more_is_sent() -> None:
    wire = Wire(held=True)
    stream = OutputStream(BufferedSink(wire))

    async def guest() -> None:
        await awaited(stream.blocking_write_and_flush(b"abc"))

    task = asyncio.ensure_future(guest())
    await turns()
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(WitError) as caught:
        stream.write(b"def")
    assert caught.value.value == Variant("closed")


async def test_a_sender_may_be_any_coroutine_function() -> None:
    sent = []

    def send(data: bytes) -> Awaitable[None]:
        sent.append(data)
        return asyncio.sleep(0)

    await awaited(OutputStream(BufferedSink(send)).blocking_write_and_flush(b"abc"))
    assert sent == [b"abc"]
