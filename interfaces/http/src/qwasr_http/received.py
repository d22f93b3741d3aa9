"""The request's half of an exchange: what arrived, and what of it a guest gets to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.call import new_call_id
from qwasr.trace import TraceContext
from qwasr.values import Variant
from qwasr_http.fields import entries_from_wire
from qwasr_http.limits import BodyTooLarge
from qwasr_http.proxies import FORWARDING
from qwasr_http.sources import PayloadSource

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader

    from qwasr_http.connection import Connection
    from qwasr_http.fields import Entry
    from qwasr_http.proxies import Forwarded

__all__ = ["RequestHalf"]

_REQUEST_ID: Final = "x-request-id"
_OWN: Final = frozenset({_REQUEST_ID, "traceparent", "tracestate"})  # what a guest gets of these is the host's
_OWN_OR_FORWARDING: Final = _OWN | FORWARDING


class RequestHalf:
    """A request that was received.

    Attributes:
        id: the request id; empty until it is needed.
        target: path and query as received.
        authority: host and port as the client named them.
        forwarded: what a trusted proxy says of the client.
        expects: the client waits for leave to send its body.
    """

    __slots__ = (
        "_source",
        "_trace",
        "authority",
        "expects",
        "forwarded",
        "id",
        "message",
        "payload",
        "protocol",
        "target",
    )

    def __init__(self, message: RawRequestMessage, payload: StreamReader, protocol: Connection) -> None:
        self.message = message
        self.payload = payload
        self.protocol = protocol
        self.id = ""
        self.target: str | None = None
        self.authority: str | None = None
        self.forwarded: Forwarded | None = None
        self.expects = False
        self._trace: TraceContext | None = None
        self._source: PayloadSource | None = None

    @property
    def request_id(self) -> str:
        """The request id, made now if there is none yet."""
        if not self.id:
            self.id = new_call_id()
        return self.id

    @property
    def method(self) -> str:
        """The method as received."""
        return self.message.method

    @property
    def secure(self) -> bool:
        """Whether it came over TLS, as far as is known."""
        forwarded = self.forwarded
        if forwarded is not None and forwarded.secure is not None:
            return forwarded.secure
        return self.protocol.ssl_context is not None

    @property
    def client(self) -> str | None:
        """The client's address, ``None`` if it is not known."""
        forwarded = self.forwarded
        return (forwarded.client if forwarded is not None else None) or self.protocol.client

    def entries(self) -> list[Entry]:
        """Return the headers for the guest: without what is not believed, with the request id and the trace."""
        own = _OWN if self.protocol.proxies is not None else _OWN_OR_FORWARDING
        entries = [entry for entry in entries_from_wire(self.message.raw_headers) if entry[0] not in own]
        trace = self.trace()
        entries.append((_REQUEST_ID, _REQUEST_ID, self.request_id.encode()))
        entries.append(("traceparent", "traceparent", trace.parent.encode()))
        if trace.state:
            entries.append(("tracestate", "tracestate", trace.state.encode()))
        return entries

    def trace(self) -> TraceContext:
        """Return the trace that the request belongs to, a new one if it names none."""
        if self._trace is None:
            headers = self.message.headers
            parents = headers.getall("traceparent", ())
            found = TraceContext.read(parents, headers.getall("tracestate", ())) if parents else None
            self._trace = found or TraceContext.new()
        return self._trace

    def source(self) -> PayloadSource:
        """Return the body's bytes; called once."""
        self._source = PayloadSource(self.payload, _code_of, self._check_size if self.message.chunked else None)
        return self._source

    @property
    def starving(self) -> bool:
        """Whether the guest waits for more of the body."""
        return self._source is not None and self._source.waiting

    def _check_size(self) -> None:
        limit = self.protocol.limits.body_bytes
        if self.payload.total_bytes > limit:
            message = f"the request's body is longer than {limit} bytes (QWASR_HTTP_MAX_BODY_BYTES)"
            raise BodyTooLarge(message)


def _code_of(failure: BaseException) -> Variant:
    """Return the error-code for what broke a request's body off."""
    if isinstance(failure, ConnectionError):
        return Variant("connection-terminated")
    return Variant("HTTP-protocol-error")
