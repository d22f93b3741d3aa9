"""wasi:http/types and wasi:http/outgoing-handler: the interfaces that guests import."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr.call import current_call
from qwasr.hosting import HostInterface
from qwasr.values import Variant
from qwasr_http.bodies import FutureTrailers, IncomingBody, OutgoingBody
from qwasr_http.codes import ERROR_KIND
from qwasr_http.fields import Fields
from qwasr_http.incoming import FutureIncomingResponse, IncomingRequest, IncomingResponse, ResponseOutparam
from qwasr_http.messages import OutgoingRequest, OutgoingResponse, RequestOptions

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_http.protocol import ClientRequest, ClientResponse, HttpClient
    from qwasr_wasi.streams import IoError

__all__ = ["OutgoingHandler", "Types"]


class Types(
    HostInterface,
    wit="wasi:http/types",
    resources=(
        Fields,
        FutureIncomingResponse,
        FutureTrailers,
        IncomingBody,
        IncomingRequest,
        IncomingResponse,
        OutgoingBody,
        OutgoingRequest,
        OutgoingResponse,
        RequestOptions,
        ResponseOutparam,
    ),
):
    """wasi:http/types: messages, their headers and their bodies."""

    def __init__(self, backends: Backends[HttpClient]) -> None:
        """Need no backend."""

    def http_error_code(self, err: IoError) -> Variant | None:
        """Return the error-code of a stream's error, if it came from a body."""
        code: Variant | None = err.code if err.kind == ERROR_KIND else None
        return code


class OutgoingHandler(HostInterface, wit="wasi:http/outgoing-handler"):
    """wasi:http/outgoing-handler: requests of guests to other servers, through the backend."""

    counted = True

    def __init__(self, backends: Backends[HttpClient]) -> None:
        self._backends = backends

    def handle(self, request: OutgoingRequest, options: RequestOptions | None) -> FutureIncomingResponse:
        """Send the request; what cannot be sent at all is an error at once, anything else is the future's."""
        sent = request.to_client(options)
        _add_trace(sent)
        return FutureIncomingResponse(asyncio.ensure_future(self._send(sent)), sent.body)

    async def _send(self, request: ClientRequest) -> ClientResponse:
        sent = False
        try:
            response = await self._backends.default.send(request)
            sent = True
            return response
        except Exception:
            if self.counter is not None:  # what `handle` raises itself is counted where it is called
                self.counter.errors += 1
            raise
        finally:
            # No one takes the body any more: a guest that goes on writing has to be told.
            if not sent and request.body is not None:
                request.body.abandon(Variant("connection-terminated"))


def _add_trace(request: ClientRequest) -> None:
    """Let the request belong to the trace of the guest's call, unless the guest says what it belongs to."""
    if any(name.lower() == "traceparent" for name, _ in request.headers):
        return
    try:
        cause = current_call().cause
    except LookupError:  # an engine without a runtime around it
        return
    if cause is None:
        return
    trace = cause.trace()
    # A state without its parent is of no trace, whoever set it.
    headers = [field for field in request.headers if field[0].lower() != "tracestate"]
    headers.append(("traceparent", trace.parent.encode()))
    if trace.state:
        headers.append(("tracestate", trace.state.encode()))
    request.headers = headers
