"""wasi:http/types bodies: what guests hold of a message that they receive or send."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from qwasr.errors import GuestTrap
from qwasr.hosting import HostResource
from qwasr.values import Err, Ok, Variant, WitError
from qwasr_http.codes import internal_error
from qwasr_wasi.poll import READY, Pollable
from qwasr_wasi.streams import InputStream, OutputStream, StreamFailed

if TYPE_CHECKING:
    from qwasr_http.fields import Fields
    from qwasr_http.sinks import BodySink
    from qwasr_http.sources import PayloadSource

__all__ = ["FutureTrailers", "IncomingBody", "OutgoingBody"]

_log = logging.getLogger("qwasr.http")


class IncomingBody(HostResource):
    """wasi:http/types.incoming-body."""

    __slots__ = ("_source", "_stream")

    def __init__(self, source: PayloadSource) -> None:
        self._source = source
        self._stream: InputStream | None = None

    def stream(self) -> InputStream:
        """Return the body's bytes; a second time is an error."""
        if self._stream is not None:
            raise WitError
        self._stream = InputStream(self._source)
        return self._stream

    @staticmethod
    def finish(this: IncomingBody) -> FutureTrailers:
        """Read no more, and return the trailers: none, since aiohttp drops those it receives."""
        source = this._source
        if this._stream is not None and not source.closed:
            raise GuestTrap("incoming-body.finish was called while the body's input-stream was still there")
        source.close()
        return FutureTrailers(source.failure)

    def drop(self) -> None:
        """Read no more."""
        self._source.close()


class FutureTrailers(HostResource):
    """wasi:http/types.future-trailers, which is always there."""

    __slots__ = ("_code", "_taken")

    def __init__(self, code: Variant | None) -> None:
        self._code = code
        self._taken = False

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready."""
        return Pollable(READY)

    def get(self) -> Ok | Err:
        """Return no trailers, or why the body broke off; a second time is an error."""
        if self._taken:
            return Err()
        self._taken = True
        return Ok(Ok(None) if self._code is None else Err(self._code))


class OutgoingBody(HostResource):
    """wasi:http/types.outgoing-body."""

    __slots__ = ("_given", "sink")

    def __init__(self, sink: BodySink) -> None:
        self.sink = sink
        self._given = False

    def write(self) -> OutputStream:
        """Return the stream to write the body into; a second time is an error."""
        if self._given:
            raise WitError
        self._given = True
        self.sink.open = True
        return OutputStream(self.sink)

    @staticmethod
    def finish(this: OutgoingBody, trailers: Fields | None) -> None:
        """Complete the body. aiohttp cannot send trailers: they are dropped."""
        sink = this.sink
        if sink.open:
            raise GuestTrap("outgoing-body.finish was called while the body's output-stream was still there")
        if trailers is not None and trailers.entries_:
            _log.debug("%d trailer fields of a guest were dropped: they cannot be sent", len(trailers.entries_))
        if sink.failure is not None:
            raise WitError(sink.failure)
        try:
            sink.finish()
        except StreamFailed as failure:
            raise WitError(failure.error.code) from None

    def drop(self) -> None:
        """Give the body up: without `finish` it counts as broken."""
        self.sink.fail(internal_error("the guest dropped a body that it had not finished"))
