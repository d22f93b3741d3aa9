"""Log lines: one format for the host and its guests, and one way to report a failed guest call."""

from __future__ import annotations

import json
import logging
import sys
import time
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Final

from qwasr.errors import DeadlineExceeded, GuestExit, HostFunctionError, Overloaded

if TYPE_CHECKING:
    from typing import TextIO

__all__ = [
    "ACCESS_FIELDS",
    "LOG_FORMATS",
    "LOG_LEVELS",
    "JsonFormatter",
    "LineHandler",
    "LogFormatter",
    "configure_logging",
    "log_guest_error",
]

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("text", "json")

ACCESS_FIELDS: Final = ("method", "path", "status", "duration_ms", "cpu_ms", "client", "end")
"""Attributes of a record of `qwasr.access` that are members of their own in JSON; see `qwasr.access`."""

_GATHER_S: Final = 0.01  # how long finished lines gather until they are written together

_logger = logging.getLogger("qwasr.guest")
# Control characters in a guest's output could rewrite a terminal or forge lines; newline and tab are kept.
_VISIBLE: Final = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


class LogFormatter(logging.Formatter):
    """``2026-11-21T03:00:00.123Z WARNING qwasr.guest [0123456789abcdef] message``; an id only within a call."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Return the record's time in UTC with milliseconds."""
        seconds = time.strftime(datefmt or "%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without its traceback."""
        call = getattr(record, "call", None)
        mark = f" [{call}]" if call else ""
        message = record.message.translate(_VISIBLE)
        return f"{self.formatTime(record)} {record.levelname} {record.name}{mark} {message}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `call` within a call, `message`, `traceback` of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON in ASCII, so that nothing in it can end the line or rewrite a terminal."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        members: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        if call := getattr(record, "call", None):
            members["call"] = call
        members["message"] = record.getMessage()
        members.update((name, value) for name in ACCESS_FIELDS if (value := getattr(record, name, None)) is not None)
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, default=str)


class LineHandler(logging.Handler):
    """Writes each record as a line at once, and takes finished lines besides, those of 10 ms together.

    Args:
        stream: where the lines go.
        json: the lines are JSON.
    """

    def __init__(self, stream: TextIO, *, json: bool = False) -> None:
        super().__init__()
        self.json = json
        self._stream = stream
        self._lines: list[str] = []
        self.setFormatter(JsonFormatter() if json else LogFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, after the lines that came before it."""
        try:
            self._lines.append(self.format(record) + "\n")
            self._write()
        except Exception:  # noqa: BLE001 - logging's own way: a line that cannot be logged ends nothing
            self.handleError(record)

    def line(self, line: str) -> None:
        """Write a line with its end within 10 ms; to be called by the event loop's thread."""
        self._lines.append(line)
        if len(self._lines) == 1:
            get_running_loop().call_later(_GATHER_S, self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        self.acquire()
        try:
            self._write()
        except Exception:  # noqa: BLE001 - as in `emit`
            self.handleError(logging.makeLogRecord({"msg": "log lines could not be written"}))
        finally:
            self.release()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()


def configure_logging(level: str, form: str = "text") -> None:
    """Send log lines of a level and above to standard error.

    Args:
        level: one of `LOG_LEVELS`.
        form: one of `LOG_FORMATS`.
    """
    root = logging.getLogger()
    root.handlers[:] = [LineHandler(sys.stderr, json=form == "json")]
    root.setLevel(level.upper())
    # Both are chatty at DEBUG and tell a guest's author nothing.
    for name in ("asyncio", "aiohttp.access"):
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))


def log_guest_error(call_id: str, error: BaseException) -> None:
    """Log why a guest call ended without a result: the backtrace of a trap, the traceback of a host function.

    Args:
        call_id: the call's id.
        error: what the call raised.
    """
    extra = {"call": call_id}
    if isinstance(error, DeadlineExceeded | GuestExit | Overloaded):
        _logger.warning("%s", error, extra=extra)
        return
    backtrace: str = getattr(error, "backtrace", "")
    cause = error.__cause__ if isinstance(error, HostFunctionError) else None
    _logger.error("%s%s", error, f"\n{backtrace}" if backtrace else "", extra=extra, exc_info=cause)
