"""A guest's output as log lines: whole lines, bounded, harmless, and never at the event loop's cost."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr_wasi.stdio import MAX_LINE_BYTES, RECORD_BYTES, LogSink
from qwasr_wasi.streams import OutputStream


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Log:
    return _attached()


def _attached() -> Log:
    handler = Log()
    logger = logging.getLogger("qwasr.guest")
    logger.handlers, logger.propagate, logger.level = [handler], False, logging.INFO
    logger.setLevel(logging.INFO)
    return handler


@pytest.fixture(autouse=True)
def _detached() -> object:
    logger = logging.getLogger("qwasr.guest")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def stream() -> OutputStream:
    return OutputStream(LogSink(logging.INFO, "id"))


def test_a_line_is_logged_when_it_ends(log: Log) -> None:
    out = stream()
    out.write(b"hel")
    assert log.lines == []
    out.write(b"lo\nwor")
    out.write(b"ld\r\n")
    assert log.lines == ["hello", "world"]


def test_a_flush_does_not_break_a_line(log: Log) -> None:
    out = stream()
    assert out.blocking_write_and_flush(b"50 ") is None
    assert out.blocking_write_and_flush(b"%\n") is None
    assert log.lines == ["50 %"]


def test_the_rest_of_a_line_is_logged_when_the_stream_is_dropped(log: Log) -> None:
    out = stream()
    out.write(b"no newline")
    out.drop()
    assert log.lines == ["no newline"]


def test_a_long_line_is_cut(log: Log) -> None:
    out = stream()
    out.write(b"x" * (2 * MAX_LINE_BYTES + 10) + b"\n")
    assert [len(line) for line in log.lines] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 10]


def test_a_line_that_never_ends_is_not_kept(log: Log) -> None:
    out = stream()
    for _ in range(10):
        out.write(b"x" * 5000)
    assert sum(map(len, log.lines)) >= 50_000 - MAX_LINE_BYTES
    assert max(map(len, log.lines)) <= MAX_LINE_BYTES


def test_a_cut_does_not_break_a_character(log: Log) -> None:
    out = stream()
    text = "x" + "€𝄞é" * 3000
    out.write(text.encode() + b"\n")
    assert len(log.lines) > 1
    assert "".join(log.lines) == text


def test_control_characters_cannot_forge_lines_or_move_a_cursor(log: Log) -> None:
    out = stream()
    out.write("a\rb\x1b[2Jc\x00d\u2028e\u009bf\tg\n".encode())
    assert log.lines == ["a\\rb\\x1b[2Jc\\x00d\\u2028e\\x9bf\tg"]


def test_bytes_that_are_no_text_are_shown_as_replaced(log: Log) -> None:
    out = stream()
    out.write(b"\xff\xfe!\n")
    assert log.lines == ["\ufffd\ufffd!"]


def test_output_that_no_one_logs_is_thrown_away(log: Log) -> None:
    logging.getLogger("qwasr.guest").setLevel(logging.ERROR)
    out = stream()
    out.write(b"x" * 65_536)
    assert (out.check_write(), log.lines) == (65_536, [])


async def test_many_lines_at_once_are_logged_over_several_turns_while_the_guest_waits(log: Log) -> None:
    out = stream()
    out.write(b"x\n" * 10_000)
    assert len(log.lines) < 100
    assert out.check_write() == 0
    await out.subscribe().block()  # type: ignore[misc]  # it has to wait
    assert (len(log.lines), out.check_write()) == (10_000, 65_536)


async def test_lines_that_wait_are_logged_in_order_even_after_the_stream_is_dropped(log: Log) -> None:
    out = stream()
    out.write(b"".join(b"%d\n" % i for i in range(500)) + b"end")
    out.drop()
    await turns(100)
    assert log.lines == [*map(str, range(500)), "end"]


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_however_output_is_cut_into_writes_the_lines_are_the_same(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    logged = []
    for writes in ([whole], pieces):
        log = _attached()

        async def guest(writes: list[bytes] = writes) -> None:
            out = stream()
            for data in writes:
                out.write(data)
                await turns(20)
            out.drop()
            await turns(20)

        asyncio.run(guest())
        logged.append(log.lines)
    assert logged[0] == logged[1]


@pytest.mark.parametrize(
    ("pieces", "lines", "logged"),
    [
        ([b"12345678", b"\n"], 1, ["12345678", "[cut"]),
        ([b"1234567\n", b"x"], 1, ["1234567", "[cut"]),
        ([b"1234567", b"8", b"9"], 1, ["12345678", "[cut"]),
        ([b"1\n" * 6], 4, ["1", "1", "1", "1", "[cut"]),
        ([b"1\n2\n", b"", b"3\n4\n"], 4, ["1", "2", "3", "4"]),
        ([b"1234567\n"], 1, ["1234567"]),
    ],
)
def test_what_is_beyond_the_limit_is_cut_and_the_note_has_a_line_of_its_own(
    log: Log, pieces: list[bytes], lines: int, logged: list[str]
) -> None:
    sink = LogSink(logging.INFO, "id", limit_bytes=8 + lines * RECORD_BYTES)
    for piece in [*pieces, *([b"never\n"] if len(logged) > 1 and logged[-1] == "[cut" else [])]:
        sink.write(piece)
    sink.close()
    assert [line[:8].split(":")[0] for line in log.lines] == logged


@given(pieces=st.lists(st.binary(max_size=40) | st.just(b"\n") | st.just(b"x\n")), limit=st.integers(0, 1000))
def test_no_more_than_the_limit_is_logged_however_it_is_cut(pieces: list[bytes], limit: int) -> None:
    log = _attached()
    sink = LogSink(logging.INFO, "id", limit_bytes=limit)
    for piece in pieces:
        sink.write(piece)
    sink.close()
    notes = [line for line in log.lines if line.startswith("[cut: ")]
    whole = b"".join(pieces)
    begun = len(whole.removesuffix(b"\n").split(b"\n")) if whole else 0
    assert len(notes) == (len(whole) + begun * RECORD_BYTES > limit)
    assert len(log.lines) <= limit // RECORD_BYTES + len(notes)


async def test_a_flood_of_empty_lines_is_as_bounded_as_one_of_text(log: Log) -> None:
    sink = LogSink(logging.INFO, "id")
    for _ in range(16):
        sink.write(b"\n" * 65_536)
        await sink.wait()
    assert len(log.lines) <= 1024 * 1024 // RECORD_BYTES


def test_a_line_of_one_character_counts_as_a_record_though_its_stream_ends_before_it_does(log: Log) -> None:
    meter = SimpleNamespace(logged_bytes=0)
    sinks = [LogSink(logging.INFO, "id", 10 * RECORD_BYTES, meter) for _ in range(50)]
    for sink in sinks:
        sink.write(b"x")
        sink.close()
    assert log.lines[:9] == ["x"] * 9
    assert len(log.lines) == 10
