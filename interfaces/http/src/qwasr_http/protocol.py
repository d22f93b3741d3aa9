"""What a backend of `http` implements: sending one request of a guest, and receiving its response.

A complete backend, enough for a test::

    class Teapot:
        name, provides, schemes, Options = "teapot", ("http",), (), ConnectOptions

        @classmethod
        async def connect(cls, options): return cls()
        async def check(self): ...
        async def close(self): ...
        async def send(self, request): return FixedResponse(418, [("content-type", b"text/plain")], b"short and stout")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwasr_http.codes import HttpError, internal_error
from qwasr_wasi.poll import Waiters, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qwasr.values import Variant
    from qwasr_http.sinks import BodySink
    from qwasr_http.sources import Payload

__all__ = ["ClientRequest", "ClientResponse", "FixedPayload", "FixedResponse", "HttpClient", "Upload"]


@dataclass(slots=True, kw_only=True)
class ClientRequest:
    """One request of a guest; its syntax has been checked, its destination has not.

    Attributes:
        method: a token, as the guest wrote it.
        scheme: ``"http"`` or ``"https"``.
        authority: host and perhaps port, without user information.
        path_with_query: begins with ``/``, or is ``*``; to be sent exactly so.
        headers: names and values in their order, without those that frame a message; the body knows its length.
        body: ``None`` for a request without one.
        connect_timeout_s: until a connection stands, seconds; ``None`` when the guest does not say.
        first_byte_timeout_s: from the request sent to the head of the response.
        between_bytes_timeout_s: between two pieces of the response's body.
    """

    method: str
    scheme: str
    authority: str
    path_with_query: str
    headers: Sequence[tuple[str, bytes]]
    body: Upload | None = None
    connect_timeout_s: float | None = None
    first_byte_timeout_s: float | None = None
    between_bytes_timeout_s: float | None = None


class ClientResponse(Protocol):
    """The head of a response, and the body that follows it."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as received."""
        ...

    @property
    def payload(self) -> Payload:
        """The body; nothing of it is decoded."""
        ...

    def code_of(self, failure: BaseException) -> Variant:
        """Return the WIT's error-code for what broke the body off."""
        ...

    def close(self) -> None:
        """Receive no more; the connection may be used again if everything was received."""
        ...


class HttpClient(Protocol):
    """A backend of `http`; it is a `qwasr.protocols.Backend` too."""

    async def send(self, request: ClientRequest) -> ClientResponse:
        """Send the request and return as soon as the response's head is there; the body may still be on its way out.

        Raises:
            HttpError: there will be no response; carries the WIT's error-code.
        """
        ...


class Upload:
    """The body of a guest's request, piece by piece: the outlet of its `BodySink`.

    While no one takes pieces the guest may write 64 KiB and then waits.
    """

    __slots__ = ("_sink", "_waiters", "watch")

    def __init__(self, sink: BodySink) -> None:
        self._sink = sink
        self._waiters = Waiters()
        self.watch = self._waiters.watch
        sink.outlet = self

    @property
    def complete(self) -> bool:
        """Whether the guest has finished it, and `take` returns all that is left."""
        return self._sink.finished

    @property
    def length(self) -> int | None:
        """Its length as announced by the guest, ``None`` if it may have any."""
        return self._sink.expected

    def take(self) -> bytes:
        """Return what is there."""
        return self._sink.take()

    async def begun(self) -> None:
        """Return when there is a byte, or the end, or a failure."""
        await wait_until(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield pieces until the end.

        Raises:
            HttpError: the guest gave the body up.
        """
        sink = self._sink
        while True:
            await wait_until(self)
            if sink.failure is not None:
                raise HttpError(sink.failure)
            if not sink.size:
                return
            yield sink.take()

    def abandon(self, code: Variant) -> None:
        """Take no more; the guest's stream is closed."""
        self._sink.fail(code)

    def ready(self) -> bool:
        """Say whether there is a byte, or the end, or a failure."""
        sink = self._sink
        return bool(sink.size) or sink.finished or sink.failure is not None

    def stir(self) -> None:
        """Wake who waits for the next piece (the sink's)."""
        self._waiters.notify()

    def push(self) -> None:
        """Do nothing: pieces are taken, not pushed (the sink's)."""


@dataclass(slots=True)
class FixedPayload:
    """A body that is all there."""

    data: bytes

    def at_eof(self) -> bool:
        """Say whether everything was read."""
        return not self.data

    def exception(self) -> None:
        """Return nothing: it cannot break off."""

    def read_nowait(self, n: int = -1) -> bytes:
        """Return up to `n` bytes."""
        piece = self.data if n < 0 else self.data[:n]
        self.data = self.data[len(piece) :]
        return piece

    async def readany(self) -> bytes:
        """Return what is left."""
        return self.read_nowait()


class FixedResponse:
    """A response that is all there; for fakes and for backends that answer without a network.

    Args:
        status: the status code.
        headers: names and values.
        body: the whole body.
    """

    __slots__ = ("payload", "raw_headers", "status")

    def __init__(self, status: int, headers: Sequence[tuple[str, bytes]] = (), body: bytes = b"") -> None:
        self.status = status
        self.raw_headers = tuple((name.encode("latin-1"), value) for name, value in headers)
        self.payload: Payload = FixedPayload(body)

    def code_of(self, failure: BaseException) -> Variant:
        """Return `internal-error`, which never happens: nothing breaks off."""
        return internal_error()

    def close(self) -> None:
        """Do nothing."""
