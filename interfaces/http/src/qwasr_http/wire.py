"""Bytes of HTTP/1 responses: heads, chunks, problem details, and the date that goes into every head."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qwasr_http.fields import Entry

__all__ = ["CONTINUE", "LAST_CHUNK", "DateLine", "chunk", "informational", "problem", "response_head", "timed_out"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_LINES: Final = {
    minor: {status: f"HTTP/1.{minor} {status} {phrase}\r\n" for status, phrase in _PHRASES.items()} for minor in (0, 1)
}

# What frames the message or belongs to the connection is the host's to say; a guest's fields cannot have most of them.
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class DateLine:
    """The `date` header, made anew once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def line(self) -> str:
        """Return the whole line."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


def response_head(
    status: int, entries: list[Entry], framing: str, date: DateLine, request_id: str, *, minor: int = 1
) -> bytes:
    """Return a response's head.

    Args:
        status: the status code.
        entries: the guest's fields; those that frame the message are left out.
        framing: whole lines that say how the body is framed and what becomes of the connection.
        date: the date to use when the guest sets none.
        request_id: the `x-request-id` to use when the guest sets none.
        minor: the version is HTTP/1.minor.
    """
    parts = [_LINES[minor].get(status) or f"HTTP/1.{minor} {status} \r\n"]
    dated = named = False
    for key, name, value in entries:
        if key in _OURS:
            continue
        if key == "date":
            dated = True
        elif key == "x-request-id":
            named = True
        parts.append(f"{name}: {value.decode('latin-1')}\r\n")
    if not dated:
        parts.append(date.line())
    if not named:
        parts.append(f"x-request-id: {request_id}\r\n")
    parts.append(framing)
    parts.append("\r\n")
    return "".join(parts).encode("latin-1")


def timed_out(date: DateLine) -> bytes:
    """Return the whole response to a head that took too long."""
    return f"HTTP/1.1 408 Request Timeout\r\n{date.line()}content-length: 0\r\nconnection: close\r\n\r\n".encode()


def informational(status: int, entries: list[Entry]) -> bytes:
    """Return a whole 1xx response."""
    lines = [f"{name}: {value.decode('latin-1')}\r\n" for key, name, value in entries if key not in _OURS]
    return f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n{''.join(lines)}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return the bytes as one chunk of a chunked body (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def problem(status: int, detail: str, request_id: str, code: str | None) -> tuple[list[Entry], bytes]:
    """Return fields and body of a problem report (RFC 9457).

    Args:
        status: the status code.
        detail: one sentence for the client.
        request_id: what to look for in the log.
        code: the WIT's error-code, if the guest answered with one.
    """
    members = {"type": "about:blank", "title": _PHRASES.get(status, "Error"), "status": status, "detail": detail}
    if code is not None:
        members["code"] = code
    members["request_id"] = request_id
    body = json.dumps(members).encode()
    fields = [
        ("content-type", "content-type", b"application/problem+json"),
        ("x-request-id", "x-request-id", request_id.encode()),
    ]
    return fields, body
