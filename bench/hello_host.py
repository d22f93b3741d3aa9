"""The least that `examples/hello-c` needs of its host, for both layers: its cost is the call's, not the host's."""

from __future__ import annotations

from typing import Any

from qwasr.hosting import HostInterface, HostResource

__all__ = ["HELLO_HOSTS", "IncomingRequest", "ResponseOutparam"]


class Error(HostResource):
    """wasi:io/error.error; none is ever made."""


class OutputStream(HostResource):
    """wasi:io/streams.output-stream."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = b""

    def check_write(self) -> int:
        """Return how much may be written."""
        return 65_536

    def write(self, contents: bytes) -> None:
        """Keep what is written."""
        self.written += contents


class Fields(HostResource):
    """wasi:http/types.fields."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes]] = []

    @staticmethod
    def from_list(entries: list[tuple[str, bytes]]) -> Fields:
        """Return fields with these entries."""
        fields = Fields()
        fields.entries = entries
        return fields


class OutgoingBody(HostResource):
    """wasi:http/types.outgoing-body."""

    def write(self) -> OutputStream:
        """Return the body's stream."""
        return OutputStream()

    @staticmethod
    def finish(this: OutgoingBody, trailers: Fields | None) -> None:
        """Complete the body."""


class OutgoingResponse(HostResource):
    """wasi:http/types.outgoing-response."""

    __slots__ = ("headers",)

    def __init__(self, headers: Fields) -> None:
        self.headers = headers

    def body(self) -> OutgoingBody:
        """Return the body."""
        return OutgoingBody()


class IncomingRequest(HostResource):
    """wasi:http/types.incoming-request, which the guest does not read."""


class ResponseOutparam(HostResource):
    """wasi:http/types.response-outparam."""

    __slots__ = ("response",)

    def __init__(self) -> None:
        self.response: Any = None

    @staticmethod
    def set(param: ResponseOutparam, response: Any) -> None:
        """Keep the response."""
        param.response = response


class _Errors(HostInterface, wit="wasi:io/error", resources=(Error,)):
    pass


class _Streams(HostInterface, wit="wasi:io/streams", resources=(OutputStream, Error)):
    pass


class _Types(
    HostInterface,
    wit="wasi:http/types",
    resources=(Fields, IncomingRequest, OutgoingBody, OutgoingResponse, OutputStream, ResponseOutparam),
):
    pass


HELLO_HOSTS = (_Errors(), _Streams(), _Types())
