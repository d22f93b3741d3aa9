"""One log line a call: logger `qwasr.access`, level INFO.

::

    2026-11-21T03:00:00.123Z INFO qwasr.access [0123456789abcdef] GET /path 200 1.42 ms cpu 0.08 ms 192.0.2.1

A server makes an `AccessLog` and asks it for each call. A `LogRecord` costs several microseconds, so where the
program's own handler is the only one, the line is made here and written together with others.
"""

from __future__ import annotations

import logging
import time
from json.encoder import encode_basestring_ascii
from typing import Final

from qwasr._log import LineHandler

__all__ = ["AccessLog"]

_NAME: Final = "qwasr.access"
_logger: Final = logging.getLogger(_NAME)


class AccessLog:
    """Writes the line of each call of one server."""

    __slots__ = ("_fast", "_second", "_time")

    def __init__(self) -> None:
        self._second = -1
        self._time = ""
        self._fast = _only_handler()

    @property
    def enabled(self) -> bool:
        """Whether any line would be written."""
        return _logger.isEnabledFor(logging.INFO)

    def write(
        self,
        call_id: str,
        method: str,
        path: str,
        status: int,
        duration_s: float,
        cpu_s: float,
        client: str | None = None,
        end: str | None = None,
    ) -> None:
        """Write one line.

        Args:
            call_id: the call's id.
            method: what was asked for, for example ``GET``.
            path: what it was asked of, without its query: that may hold what is secret.
            status: what was answered; 0 when nothing was.
            duration_s: from the request to the end of the response, seconds.
            cpu_s: how long the guest computed, seconds.
            client: the client's address.
            end: ``cut`` or ``gone`` when the response did not end as it should.
        """
        fast = self._fast
        if fast is not None and fast in logging.root.handlers:
            now = time.time()
            second = int(now)
            if second != self._second:
                self._second = second
                self._time = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            stamp = f"{self._time}.{int((now - second) * 1000):03d}Z"
            if fast.json:
                tail = f', "client": "{client}"' if client else ""
                if end:
                    tail += f', "end": "{end}"'
                quoted = encode_basestring_ascii(path)
                fast.line(
                    f'{{"time": "{stamp}", "level": "INFO", "logger": "{_NAME}", "call": "{call_id}", '
                    f'"message": {encode_basestring_ascii(f"{method} {path} {status}")}, '
                    f'"method": {encode_basestring_ascii(method)}, "path": {quoted}, "status": {status}, '
                    f'"duration_ms": {duration_s * 1000:.3f}, "cpu_ms": {cpu_s * 1000:.3f}{tail}}}\n'
                )
                return
            if not path.isprintable():
                path = encode_basestring_ascii(path)
            fast.line(
                f"{stamp} INFO {_NAME} [{call_id}] {_text(method, path, status, duration_s, cpu_s, client, end)}\n"
            )
            return
        _logger.info(
            "%s",
            _text(method, path, status, duration_s, cpu_s, client, end),
            extra={
                "call": call_id,
                "method": method,
                "path": path,
                "status": status,
                "duration_ms": round(duration_s * 1000, 3),
                "cpu_ms": round(cpu_s * 1000, 3),
                "client": client,
                "end": end,
            },
        )


def _text(
    method: str, path: str, status: int, duration_s: float, cpu_s: float, client: str | None, end: str | None
) -> str:
    tail = f" {client}" if client else ""
    if end:
        tail += f" {end}"
    return f"{method} {path} {status} {duration_s * 1000:.2f} ms cpu {cpu_s * 1000:.2f} ms{tail}"


def _only_handler() -> LineHandler | None:
    """Return the program's own handler, if every record would go there and nowhere else."""
    logger: logging.Logger | None = _logger
    found: list[logging.Handler] = []
    while logger is not None:
        if logger.filters:
            return None
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    if len(found) == 1 and isinstance(found[0], LineHandler) and not found[0].filters:
        return found[0]
    return None
