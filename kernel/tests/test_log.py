from __future__ import annotations

import logging

import pytest

from qwasr._log import LogFormatter, log_guest_error
from qwasr.errors import DeadlineExceeded, GuestTrap, HostFunctionError


def line(message: str, **attributes: object) -> str:
    record = logging.LogRecord("qwasr.guest", logging.INFO, "file", 1, message, (), None)
    vars(record).update(attributes, created=0.0, msecs=12.0)
    return LogFormatter().format(record)


def test_a_line_has_time_level_logger_and_message() -> None:
    assert line("hello") == "1970-01-01T00:00:00.012Z INFO qwasr.guest hello"


def test_a_line_of_a_call_has_its_id() -> None:
    assert line("hello", call="0123") == "1970-01-01T00:00:00.012Z INFO qwasr.guest [0123] hello"


def test_control_characters_of_a_guest_do_not_reach_the_terminal() -> None:
    assert line("a\x1b[2Jb\rc\x9b").endswith("a\\x1b[2Jb\\x0dc\\x9b")


def test_a_trap_is_logged_with_its_backtrace_and_call(caplog: pytest.LogCaptureFixture) -> None:
    log_guest_error("0123", GuestTrap("unreachable", "app!crash\napp!main"))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "unreachable\napp!crash\napp!main"
    assert vars(record)["call"] == "0123"


def test_a_failed_host_function_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    error = HostFunctionError("demo:shelf/shelf ask failed")
    error.__cause__ = ValueError("a negative shelf")
    log_guest_error("0123", error)
    assert "ValueError: a negative shelf" in caplog.text


def test_a_missed_deadline_is_a_warning_of_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log_guest_error("0123", DeadlineExceeded("too long"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", "too long")]
