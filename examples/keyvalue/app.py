"""A key-value guest: it counts its visitors, and keeps what it is given.

| request | answer |
| --- | --- |
| `GET /` | how often this was asked |
| `PUT /<key>` | 204; the body is the key's value from now on |
| `GET /<key>` | the value, or 404 |
| `DELETE /<key>` | 204; the key is gone |
"""

from __future__ import annotations

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import atomics, store
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Delete,
    Method_Get,
    Method_Put,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

CHUNK_BYTES = 4096  # the most that one blocking write may carry
COUNTER = "visitors"


class IncomingHandler(exports.IncomingHandler):
    """What the world's `wasi:http/incoming-handler` calls for each request."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        """Answers one request from the default store."""
        key = (request.path_with_query() or "/").partition("?")[0].removeprefix("/")
        try:
            with store.open("default") as bucket:
                status, answer = serve(bucket, request, key)
        except Err as error:
            status, answer = 500, f"the store failed: {error.value}\n".encode()
        send(response_out, status, answer)


def serve(bucket: store.Bucket, request: IncomingRequest, key: str) -> tuple[int, bytes]:
    """Does what is asked, and returns status and body of the answer."""
    match request.method():
        case Method_Get() if not key:
            return 200, b"visitor %d\n" % atomics.increment(bucket, COUNTER, 1)
        case Method_Get():
            value = bucket.get(key)
            return (404, b"no such key\n") if value is None else (200, value)
        case Method_Put() if key:
            bucket.set(key, read(request))
            return 204, b""
        case Method_Delete() if key:
            bucket.delete(key)
            return 204, b""
        case _:
            return 405, b"GET /, or GET, PUT, DELETE /<key>\n"


def read(request: IncomingRequest) -> bytes:
    """The whole body of a request."""
    parts = []
    with request.consume() as body, body.stream() as stream:
        while True:
            try:
                parts.append(stream.blocking_read(1 << 16))
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return b"".join(parts)
                raise


def send(response_out: ResponseOutparam, status: int, content: bytes) -> None:
    """Sends a response of one piece."""
    response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for start in range(0, len(content), CHUNK_BYTES):
            stream.blocking_write_and_flush(content[start : start + CHUNK_BYTES])
    OutgoingBody.finish(body, None)
