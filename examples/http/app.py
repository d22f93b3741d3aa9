"""An HTTP guest: it greets, echoes a body while it arrives, and streams lines with a pause between them.

| request | answer |
| --- | --- |
| `GET /` | a greeting |
| `POST /echo` | the request's body, with its content type |
| `GET /stream` | five lines, one every 50 ms |
"""

from __future__ import annotations

from collections.abc import Iterator

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import monotonic_clock
from wit_world.imports.streams import InputStream, OutputStream, StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

CHUNK_BYTES = 4096  # the most that one blocking write may carry
PAUSE_NS = 50_000_000
LINES = 5


class IncomingHandler(exports.IncomingHandler):
    """What the world's `wasi:http/incoming-handler` calls for each request."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        """Answers one request."""
        path = (request.path_with_query() or "/").partition("?")[0]
        match request.method(), path:
            case Method_Get(), "/":
                send(response_out, 200, [b"Hello from Python\n"])
            case Method_Post(), "/echo":
                kind = (request.headers().get("content-type") or [b"application/octet-stream"])[0]
                with request.consume() as body, body.stream() as stream:
                    send(response_out, 200, chunks(stream), kind)
            case Method_Get(), "/stream":
                send(response_out, 200, lines())
            case _:
                send(response_out, 404, [b"nothing here\n"])


def chunks(stream: InputStream) -> Iterator[bytes]:
    """What arrives, as it arrives."""
    while True:
        try:
            yield stream.blocking_read(CHUNK_BYTES)
        except Err as error:
            if isinstance(error.value, StreamError_Closed):
                return
            raise


def lines() -> Iterator[bytes]:
    """Numbered lines, with a pause before each but the first."""
    for number in range(1, LINES + 1):
        yield b"line %d\n" % number
        if number < LINES:
            with monotonic_clock.subscribe_duration(PAUSE_NS) as pause:
                pause.block()


def send(
    response_out: ResponseOutparam, status: int, parts: Iterator[bytes] | list[bytes], kind: bytes = b"text/plain"
) -> None:
    """Sends the head, then each part; the response is finished when the parts are."""
    response = OutgoingResponse(Fields.from_list([("content-type", kind)]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for part in parts:
            write(stream, part)
    OutgoingBody.finish(body, None)


def write(stream: OutputStream, part: bytes) -> None:
    """Writes one part and waits until the host has taken it."""
    for start in range(0, len(part), CHUNK_BYTES):
        stream.blocking_write_and_flush(part[start : start + CHUNK_BYTES])
