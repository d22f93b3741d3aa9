"""wasi:http/types messages that guests receive: incoming requests with the way to answer them, incoming responses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from qwasr.hosting import HostResource
from qwasr.values import Err, Ok, Variant, WitError
from qwasr_http.bodies import IncomingBody
from qwasr_http.codes import HttpError, internal_error
from qwasr_http.fields import Fields, entries_from_wire
from qwasr_http.messages import METHODS
from qwasr_http.sources import PayloadSource
from qwasr_wasi.poll import FutureWaitable, Pollable

if TYPE_CHECKING:
    from qwasr_http.fields import Entry
    from qwasr_http.messages import OutgoingResponse
    from qwasr_http.protocol import ClientResponse, Upload

__all__ = ["FutureIncomingResponse", "IncomingRequest", "IncomingResponse", "Received", "ResponseOutparam"]

_HTTP: Final = Variant("HTTP")
_HTTPS: Final = Variant("HTTPS")


class Received(Protocol):
    """A request that a server received, and the way to answer it."""

    @property
    def method(self) -> str:
        """The method as received."""
        ...

    @property
    def target(self) -> str | None:
        """Path and query as received."""
        ...

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""
        ...

    @property
    def authority(self) -> str | None:
        """Host and port as received."""
        ...

    def entries(self) -> list[Entry]:
        """Return the headers for the guest."""
        ...

    def open_body(self) -> PayloadSource:
        """Return the body's bytes; called once."""
        ...

    def respond(self, response: OutgoingResponse) -> None:
        """Answer with the response."""
        ...

    def respond_error(self, code: Variant) -> None:
        """Answer with the status that the error stands for."""
        ...

    def inform(self, status: int, entries: list[Entry]) -> None:
        """Send an informational response before the response.

        Raises:
            WitError: with an error-code, when that cannot be.
        """
        ...


class IncomingRequest(HostResource):
    """wasi:http/types.incoming-request."""

    __slots__ = ("_consumed", "_entries", "_received")

    def __init__(self, received: Received) -> None:
        self._received = received
        self._entries: list[Entry] | None = None
        self._consumed = False

    def method(self) -> Variant:
        """Return the method."""
        name = self._received.method
        return METHODS.get(name) or Variant("other", name)

    def path_with_query(self) -> str | None:
        """Return path and query exactly as received."""
        return self._received.target

    def scheme(self) -> Variant | None:
        """Return ``HTTP`` or ``HTTPS``."""
        return _HTTPS if self._received.secure else _HTTP

    def authority(self) -> str | None:
        """Return host and port as the client named them."""
        return self._received.authority

    def headers(self) -> Fields:
        """Return the headers, which cannot be changed."""
        if self._entries is None:
            self._entries = self._received.entries()
        return Fields.of(self._entries, immutable=True)

    def consume(self) -> IncomingBody:
        """Return the body; a second time is an error."""
        if self._consumed:
            raise WitError
        self._consumed = True
        return IncomingBody(self._received.open_body())


class ResponseOutparam(HostResource):
    """wasi:http/types.response-outparam: where the guest puts its response."""

    __slots__ = ("_received",)

    def __init__(self, received: Received) -> None:
        self._received = received

    def send_informational(self, status: int, headers: Fields) -> None:
        """Send a 1xx response now."""
        self._received.inform(status, headers.entries_)

    @staticmethod
    def set(param: ResponseOutparam, response: Ok | Err) -> None:
        """Answer with a response or an error; from here on the body may follow."""
        if isinstance(response, Ok):
            param._received.respond(response.value)
        else:
            param._received.respond_error(response.value)


class IncomingResponse(HostResource):
    """wasi:http/types.incoming-response."""

    __slots__ = ("_consumed", "_entries", "_response")

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self._entries: list[Entry] | None = None
        self._consumed = False

    def status(self) -> int:
        """Return the status."""
        return self._response.status

    def headers(self) -> Fields:
        """Return the headers, which cannot be changed."""
        if self._entries is None:
            self._entries = entries_from_wire(self._response.raw_headers)
        return Fields.of(self._entries, immutable=True)

    def consume(self) -> IncomingBody:
        """Return the body; a second time is an error."""
        if self._consumed:
            raise WitError
        self._consumed = True
        response = self._response
        return IncomingBody(PayloadSource(response.payload, response.code_of, release=response.close))

    def drop(self) -> None:
        """Close the response unless its body is being read."""
        if not self._consumed:
            self._response.close()


class FutureIncomingResponse(HostResource):
    """wasi:http/types.future-incoming-response: a request under way.

    Args:
        task: the request; it ends with this resource.
        upload: the request's body.
    """

    __slots__ = ("_taken", "_task", "_upload")

    def __init__(self, task: asyncio.Task[ClientResponse], upload: Upload | None) -> None:
        self._task = task
        self._upload = upload
        self._taken = False

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when there is a response or an error."""
        return Pollable(FutureWaitable(self._task))

    def get(self) -> Ok | Err | None:
        """Return the response or the error when it is there; a second time is an error."""
        task = self._task
        if not task.done():
            return None
        if self._taken:
            return Err()
        self._taken = True
        if task.cancelled():
            return Ok(Err(internal_error("the request was cancelled")))
        failure = task.exception()
        if failure is None:
            return Ok(Ok(IncomingResponse(task.result())))
        if isinstance(failure, HttpError):
            return Ok(Err(failure.code))
        raise failure

    def drop(self) -> None:
        """Cancel the request, or close the response that no one took."""
        if self._task.cancel():
            if self._upload is not None:  # a task that never began does not do it
                self._upload.abandon(internal_error("the request was cancelled"))
        elif not self._taken and not self._task.cancelled() and self._task.exception() is None:
            self._task.result().close()
