"""A guest's standard output and error as lines of the host's log.

One record a line, logger ``qwasr.guest``, the call's id in ``record.call``. Nothing a guest prints can look like a line
of the host's or move a terminal's cursor: control characters are shown as escapes, and a line without an end is cut.
What one call prints beyond its limit, to both of its outputs together, is not logged, and a last line says so; each
line counts with what its record takes beside it, for a flood of empty lines is a flood of records.
Lines are logged a few at a time, so that a guest which prints without pause waits and the event loop does not.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from qwasr_wasi.ends import MAX_PIECE_BYTES
from qwasr_wasi.poll import Waiters, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_wasi.poll import Unwatch, Wake

__all__ = ["MAX_LINE_BYTES", "RECORD_BYTES", "LogSink", "Meter"]

MAX_LINE_BYTES: Final = 8 * 1024
"""A longer line becomes several records."""

RECORD_BYTES: Final = 100
"""What a line counts beside its own bytes: about what time, level, name and id take in a log, as text or as JSON."""

_LINES_A_TURN: Final = 32  # about 300 µs of logging
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_logger: Final = logging.getLogger("qwasr.guest")


class Meter(Protocol):
    """Counts what all sinks of one call have taken; the kernel's `CallInfo` is one."""

    logged_bytes: int


class _OwnMeter:
    __slots__ = ("logged_bytes",)

    def __init__(self) -> None:
        self.logged_bytes = 0


class LogSink:
    """A sink that logs lines.

    Args:
        level: the records' level, for example `logging.INFO`.
        call_id: the id of the guest's call.
        limit_bytes: how much one call may print.
        meter: counts what the call has printed; without one this sink counts for itself alone.
    """

    __slots__ = ("_extra", "_level", "_limit_bytes", "_lines", "_meter", "_partial", "_waiters")

    def __init__(self, level: int, call_id: str, limit_bytes: int = 1024 * 1024, meter: Meter | None = None) -> None:
        self._level = level
        self._extra = {"call": call_id}
        self._limit_bytes = limit_bytes
        self._meter = meter or _OwnMeter()
        self._partial = b""
        self._lines: deque[bytes] = deque()  # complete, not yet logged; not empty means that a turn is scheduled
        self._waiters = Waiters()

    def capacity(self) -> int:
        """Return 64 KiB, or 0 while lines wait to be logged."""
        return 0 if self._lines else MAX_PIECE_BYTES

    def write(self, data: bytes) -> None:
        """Log the complete lines, keep the rest; drop what is beyond the call's limit."""
        if not _logger.isEnabledFor(self._level):
            return
        before = self._meter.logged_bytes
        if before > self._limit_bytes or not data:
            return
        begun = data.count(b"\n") + (not data.endswith(b"\n")) - bool(self._partial)
        self._meter.logged_bytes = before + len(data) + begun * RECORD_BYTES
        if self._meter.logged_bytes > self._limit_bytes:
            data = _first_of(data, self._limit_bytes - before, inside=bool(self._partial))
            end = b"\n" if self._partial or data else b""
            note = f"[cut: the guest printed more than {self._limit_bytes} bytes in one call (QWASR_GUEST_LOG_BYTES)]\n"
            data = data.removesuffix(b"\n") + end + note.encode()
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            *cut, last = _cut(line)
            self._lines += (*cut, last)
        if len(self._partial) > MAX_LINE_BYTES:
            *cut, self._partial = _cut(self._partial)
            self._lines += cut
        if self._lines:
            self._log_some()

    def flush(self) -> None:
        """Do nothing: complete lines are on their way, and the rest of a line waits for its end."""

    def ready(self) -> bool:
        """Say whether no lines wait to be logged."""
        return not self._lines

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when no lines wait to be logged."""
        if not self._lines:
            wake()
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        """Return when no lines wait to be logged."""
        return wait_until(self)

    def close(self) -> None:
        """Log the rest of a line."""
        if not self._partial:
            return
        rest, self._partial = self._partial, b""
        waiting = bool(self._lines)
        self._lines.append(rest)
        if not waiting:
            self._log_some()

    def _log_some(self) -> None:
        for _ in range(min(_LINES_A_TURN, len(self._lines))):
            text = self._lines.popleft().decode("utf-8", "replace").removesuffix("\r")
            if not text.isprintable():
                text = _CONTROL.sub(_escape, text)
            _logger.log(self._level, "%s", text, extra=self._extra)
        if self._lines:
            asyncio.get_running_loop().call_soon(self._log_some)
        else:
            self._waiters.notify()


def _first_of(data: bytes, budget_bytes: int, *, inside: bool) -> bytes:
    """Return as much of the lines as fits, each with its record; that of a line that begins *inside* is paid for."""
    at = 0
    while at < len(data):
        if not inside:
            budget_bytes -= RECORD_BYTES
        if budget_bytes <= 0:
            break
        end = data.find(b"\n", at, at + budget_bytes) + 1 or min(at + budget_bytes, len(data))
        budget_bytes -= end - at
        inside = not data.endswith(b"\n", at, end)
        at = end
    return data[:at]


def _cut(line: bytes) -> list[bytes]:
    """Return the line in pieces of at most `MAX_LINE_BYTES`, cut between characters."""
    pieces = []
    while len(line) > MAX_LINE_BYTES:
        end = MAX_LINE_BYTES
        while end > MAX_LINE_BYTES - 3 and line[end] & 0xC0 == 0x80:  # the byte after the cut continues a character
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")
