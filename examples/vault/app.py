"""A notary: `POST /` signs what it is sent, `POST /<signature>` checks it; the key stays in the vault."""

from __future__ import annotations

import hashlib
import hmac

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import streams, vault
from wit_world.imports import types as http


class IncomingHandler(exports.IncomingHandler):
    """What the world's `wasi:http/incoming-handler` calls for each request."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        """Signs or checks with the secret `signing-key` of the locker `default`."""
        with vault.open("default") as locker:
            key = locker.get("signing-key")
        if key is None:
            send(response_out, 503, "the vault has no secret 'signing-key'\n")
        elif not isinstance(request.method(), http.Method_Post):
            send(response_out, 405, "POST / or POST /<signature>\n")
        else:
            signature = hmac.digest(key, read(request), hashlib.sha256).hex()
            claimed = (request.path_with_query() or "/").removeprefix("/")
            if not claimed:
                send(response_out, 200, f"{signature}\n")
            elif hmac.compare_digest(claimed.encode(), signature.encode()):
                send(response_out, 200, "signed here\n")
            else:
                send(response_out, 403, "not signed here\n")


def read(request: http.IncomingRequest) -> bytes:
    """The whole body of a request."""
    content = bytearray()
    with request.consume() as body, body.stream() as stream:
        try:
            while True:
                content += stream.blocking_read(1 << 16)
        except Err as error:
            if not isinstance(error.value, streams.StreamError_Closed):
                raise
    return bytes(content)


def send(response_out: http.ResponseOutparam, status: int, text: str) -> None:
    """Sends a response of one piece."""
    response = http.OutgoingResponse(http.Fields.from_list([("content-type", b"text/plain; charset=utf-8")]))
    response.set_status_code(status)
    body, content = response.body(), text.encode()
    http.ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for start in range(0, len(content), 4096):  # the most that one blocking write may carry
            stream.blocking_write_and_flush(content[start : start + 4096])
    http.OutgoingBody.finish(body, None)
