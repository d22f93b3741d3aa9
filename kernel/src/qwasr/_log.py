"""Log lines: one format for the host and its guests, and one way to report a failed guest call."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

from qwasr.errors import DeadlineExceeded, GuestExit, HostFunctionError

__all__ = ["LOG_LEVELS", "LogFormatter", "configure_logging", "log_guest_error"]

LOG_LEVELS: Final = ("debug", "info", "warning", "error")

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


def configure_logging(level: str) -> None:
    """Send log lines of a level and above to standard error.

    Args:
        level: one of `LOG_LEVELS`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
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
    if isinstance(error, DeadlineExceeded | GuestExit):
        _logger.warning("%s", error, extra=extra)
        return
    backtrace: str = getattr(error, "backtrace", "")
    cause = error.__cause__ if isinstance(error, HostFunctionError) else None
    _logger.error("%s%s", error, f"\n{backtrace}" if backtrace else "", extra=extra, exc_info=cause)
