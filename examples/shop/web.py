"""Requests and responses: JSON, and streams as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types as http
from wit_world.imports.streams import InputStream, OutputStream, StreamError_Closed

MAX_JSON_BYTES = 10_000
MAX_NUMBER = 10**9  # the product of two of them is within 64 bits


class ClientError(Exception):
    """What the client asks cannot be done."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """A response: its status, and what JSON can hold, or a stream, or nothing."""

    status: int
    content: object = None


def json_of(request: http.IncomingRequest, **kinds: type) -> dict[str, Any]:
    """The fields of a request's JSON object, which has exactly these.

    Raises:
        ClientError: it has not.
    """
    try:
        fields = json.loads(_body(request))
    except ValueError:
        raise ClientError(400, "the body is not JSON") from None
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != kinds:
        wanted = ", ".join(f"{name} ({kind.__name__})" for name, kind in kinds.items())
        raise ClientError(400, f"the body is not an object of {wanted}")
    if any(isinstance(value, int) and abs(value) > MAX_NUMBER for value in fields.values()):
        raise ClientError(400, f"a number is larger than {MAX_NUMBER}")
    return fields


def send(response_out: http.ResponseOutparam, answer: Answer) -> None:
    """Sends a response."""
    headers = []
    if answer.content is not None:
        is_stream = isinstance(answer.content, InputStream)
        headers.append(("content-type", b"text/plain; charset=utf-8" if is_stream else b"application/json"))
    response = http.OutgoingResponse(http.Fields.from_list(headers))
    response.set_status_code(answer.status)
    body = response.body()
    http.ResponseOutparam.set(response_out, Ok(response))
    with body.write() as sink:
        if isinstance(answer.content, InputStream):
            carry(answer.content, sink)
        elif answer.content is not None:
            write(sink, (json.dumps(answer.content) + "\n").encode())
    http.OutgoingBody.finish(body, None)


def carry(source: InputStream, sink: OutputStream) -> None:
    """Has the host carry all bytes from one stream to the other."""
    try:
        while True:
            sink.blocking_splice(source, 1 << 20)
    except Err as error:
        if not isinstance(error.value, StreamError_Closed):
            raise


def write(sink: OutputStream, content: bytes) -> None:
    """Writes all of it; 4 096 bytes is the most that one blocking write may carry."""
    for start in range(0, len(content), 4096):
        sink.blocking_write_and_flush(content[start : start + 4096])


def _body(request: http.IncomingRequest) -> bytes:
    content = bytearray()
    with request.consume() as body, body.stream() as stream:
        try:
            while len(content) <= MAX_JSON_BYTES:
                content += stream.blocking_read(1 << 14)
        except Err as error:
            if not isinstance(error.value, StreamError_Closed):
                raise
            return bytes(content)
    raise ClientError(413, f"the body is longer than {MAX_JSON_BYTES} bytes")
