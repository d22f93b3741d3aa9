from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from qwasr._log import JsonFormatter, LineHandler
from qwasr.access import AccessLog

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger without pytest's handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def only(root: logging.Logger, *, form: str = "text", level: int = logging.INFO) -> io.StringIO:
    stream = io.StringIO()
    root.handlers[:] = [LineHandler(stream, json=form == "json")]
    root.setLevel(level)
    return stream


async def test_a_call_is_one_line(root: logging.Logger) -> None:
    stream = only(root)
    AccessLog().write("0123", "GET", "/path", 200, 0.00142, 0.00008, "192.0.2.1")
    await asyncio.sleep(0.03)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("Z INFO qwasr.access [0123] GET /path 200 1.42 ms cpu 0.08 ms 192.0.2.1")


async def test_a_call_is_one_object_of_json(root: logging.Logger) -> None:
    stream = only(root, form="json")
    AccessLog().write("0123", "GET", '/"\n\x1b', 0, 0.5, 0.25, None, "gone")
    await asyncio.sleep(0.03)
    found = json.loads(stream.getvalue())
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "INFO",
        "logger": "qwasr.access",
        "call": "0123",
        "message": 'GET /"\n\x1b 0',
        "method": "GET",
        "path": '/"\n\x1b',
        "status": 0,
        "duration_ms": 500.0,
        "cpu_ms": 250.0,
        "end": "gone",
    }
    assert stream.getvalue().count("\n") == 1


async def test_a_path_cannot_forge_a_line(root: logging.Logger) -> None:
    stream = only(root)
    AccessLog().write("0123", "GET", "/\n2026 INFO forged\x1b[2J", 200, 0, 0)
    await asyncio.sleep(0.03)
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


async def test_lines_are_written_together_and_keep_their_order(root: logging.Logger) -> None:
    stream = only(root)
    access = AccessLog()
    for number in range(3):
        access.write("id", "GET", f"/{number}", 200, 0, 0)
    assert stream.getvalue() == ""
    logging.getLogger("qwasr.guest").warning("after them")
    lines = stream.getvalue().splitlines()
    assert ["/0" in lines[0], "/1" in lines[1], "/2" in lines[2], "after them" in lines[3]] == [True] * 4


async def test_other_handlers_get_records_with_what_json_needs(
    root: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    AccessLog().write("0123", "GET", "/path", 404, 0.001, 0.0005)
    (record,) = caplog.records
    found = json.loads(JsonFormatter().format(record))
    assert (found["call"], found["status"], found["duration_ms"], found["cpu_ms"]) == ("0123", 404, 1.0, 0.5)


def test_nothing_is_enabled_above_info(root: logging.Logger) -> None:
    only(root, level=logging.WARNING)
    assert not AccessLog().enabled
    only(root)
    assert AccessLog().enabled


def test_a_guests_line_in_json_has_the_calls_id(root: logging.Logger) -> None:
    stream = only(root, form="json")
    logging.getLogger("qwasr.guest").info("two\nlines", extra={"call": "0123"})
    found = json.loads(stream.getvalue())
    assert (found["call"], found["message"]) == ("0123", "two\nlines")


def test_an_error_in_json_has_its_traceback(root: logging.Logger) -> None:
    stream = only(root, form="json")
    try:
        raise ValueError("a negative shelf")
    except ValueError:
        logging.getLogger("qwasr.http").exception("it failed")
    found = json.loads(stream.getvalue())
    assert "ValueError: a negative shelf" in found["traceback"]
