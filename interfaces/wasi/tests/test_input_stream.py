"""wasi:io/streams.input-stream and wasi:io/error: the WIT's rules, on the classes themselves."""

from __future__ import annotations

import pytest

from interfaces.wasi.tests.doubles import CLOSED, U64_MAX, Inbox, Outbox, ended, now, waiting
from qwasr.values import Variant, WitError
from qwasr_wasi.bytestreams import BytesSource
from qwasr_wasi.streams import ENDED, InputStream, IoError, OutputStream, StreamClosed, StreamFailed


def test_read_returns_no_more_than_asked_for() -> None:
    stream = InputStream(Inbox(b"abcdef"))
    assert (stream.read(4), stream.read(4)) == (b"abcd", b"ef")


def test_read_returns_nothing_when_nothing_is_there() -> None:
    assert InputStream(Inbox()).read(10) == b""


def test_one_read_returns_at_most_64_kib_however_much_is_asked_for() -> None:
    stream = InputStream(BytesSource(b"x" * 100_000))
    assert [len(stream.read(U64_MAX)), len(stream.read(U64_MAX))] == [65_536, 34_464]


def test_reading_0_bytes_of_an_open_stream_succeeds() -> None:
    assert InputStream(Inbox(b"x")).read(0) == b""


def test_reading_0_bytes_of_an_ended_stream_says_closed() -> None:
    assert ended(InputStream(ENDED).read, 0) == CLOSED


def test_read_at_the_end_says_closed_for_ever() -> None:
    stream = InputStream(BytesSource(b"x"))
    assert stream.read(10) == b"x"
    assert [ended(stream.read, 10), ended(stream.read, 10), ended(stream.blocking_read, 10)] == [CLOSED] * 3


def test_read_tells_a_failure_once_and_then_says_closed() -> None:
    error = IoError("the disk is on fire")
    stream = InputStream(Inbox(StreamFailed(error)))
    assert ended(stream.read, 1) == Variant("last-operation-failed", error)
    assert ended(stream.read, 1) == CLOSED


def test_an_ended_stream_closes_its_source_once() -> None:
    source = Inbox(StreamClosed())
    stream = InputStream(source)
    ended(stream.read, 1)
    stream.drop()
    assert source.closed == 1


def test_a_dropped_stream_closes_its_source() -> None:
    source = Inbox(b"unread")
    InputStream(source).drop()
    assert source.closed == 1


def test_blocking_read_answers_at_once_when_bytes_are_there() -> None:
    assert now(InputStream(Inbox(b"abc")).blocking_read(2)) == b"ab"


async def test_blocking_read_waits_for_a_byte() -> None:
    source = Inbox()
    task = await waiting(InputStream(source).blocking_read(10))
    source.put(b"late")
    assert await task == b"late"


async def test_blocking_read_waits_for_the_end() -> None:
    source = Inbox()
    task = await waiting(InputStream(source).blocking_read(10))
    source.put(StreamClosed())
    with pytest.raises(WitError) as caught:
        await task
    assert caught.value.value == CLOSED


async def test_blocking_read_of_0_bytes_returns_when_the_stream_is_ready() -> None:
    source = Inbox()
    task = await waiting(InputStream(source).blocking_read(0))
    source.put(b"x")
    assert await task == b""


def test_skip_counts_what_it_skipped() -> None:
    stream = InputStream(Inbox(b"abcdef"))
    assert (stream.skip(4), stream.skip(U64_MAX), stream.skip(1)) == (4, 2, 0)


def test_skip_at_the_end_says_closed() -> None:
    assert ended(InputStream(ENDED).skip, 1) == CLOSED


async def test_blocking_skip_waits_for_a_byte_to_skip() -> None:
    source = Inbox(b"ab")
    stream = InputStream(source)
    assert now(stream.blocking_skip(10)) == 2
    task = await waiting(stream.blocking_skip(10))
    source.put(b"abc")
    assert await task == 3


async def test_the_pollable_of_an_input_stream_is_ready_when_bytes_are_there() -> None:
    source = Inbox()
    pollable = InputStream(source).subscribe()
    assert not pollable.ready()
    task = await waiting(pollable.block())
    source.put(b"x")
    await task
    assert pollable.ready()


def test_the_pollable_of_an_ended_input_stream_is_ready() -> None:
    assert InputStream(ENDED).subscribe().ready()


def test_a_pollable_outlives_its_dropped_stream_and_is_ready() -> None:
    stream, output = InputStream(Inbox()), OutputStream(Outbox(0))
    pollables = [stream.subscribe(), output.subscribe()]
    stream.drop()
    output.drop()
    assert all(pollable.ready() for pollable in pollables)
    assert [now(pollable.block()) for pollable in pollables] == [None, None]


def test_an_error_says_what_went_wrong() -> None:
    assert IoError("the disk is on fire").to_debug_string() == "the disk is on fire"
    assert IoError.wit_name == "error"
