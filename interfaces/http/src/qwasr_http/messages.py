"""wasi:http/types messages that guests build: outgoing requests and their options, outgoing responses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostResource
from qwasr.values import Variant, WitError
from qwasr_http.bodies import OutgoingBody
from qwasr_http.fields import Fields
from qwasr_http.protocol import ClientRequest, Upload
from qwasr_http.sinks import BodySink

if TYPE_CHECKING:
    from qwasr_http.fields import Entry

__all__ = ["METHODS", "OutgoingRequest", "OutgoingResponse", "RequestOptions", "content_length"]

METHODS: Final = {
    name.upper(): Variant(name)
    for name in ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")
}
"""Methods that the WIT knows, by their name on the wire."""

_MAX_TARGET_BYTES: Final = 8 * 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_TARGET: Final = re.compile(r"[!-\"$-~]*")  # visible ASCII but "#", which would begin a fragment
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}")
_AUTHORITY: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SCHEMES: Final = {"HTTP": "http", "HTTPS": "https"}
_NANOSECONDS: Final = 1_000_000_000


class OutgoingRequest(HostResource):
    """wasi:http/types.outgoing-request."""

    __slots__ = ("_authority", "_entries", "_method", "_path_with_query", "_scheme", "_sink")

    def __init__(self, headers: Fields) -> None:
        self._entries = headers.entries_
        self._method = METHODS["GET"]
        self._path_with_query: str | None = None
        self._scheme: Variant | None = None
        self._authority: str | None = None
        self._sink: BodySink | None = None

    def body(self) -> OutgoingBody:
        """Return the body; a second time, or with a `content-length` that is no number, is an error."""
        if self._sink is not None:
            raise WitError
        self._sink = BodySink(content_length(self._entries), "HTTP-request-body-size")
        return OutgoingBody(self._sink)

    def method(self) -> Variant:
        """Return the method; ``get`` unless set."""
        return self._method

    def set_method(self, method: Variant) -> None:
        """Set the method; an error when it is no token."""
        if method.case == "other" and _TOKEN.fullmatch(method.value) is None:
            raise WitError
        self._method = method

    def path_with_query(self) -> str | None:
        """Return path and query; ``None`` counts as ``/``."""
        return self._path_with_query

    def set_path_with_query(self, path_with_query: str | None) -> None:
        """Set path and query; an error when it cannot be sent so, or is longer than 8 KiB."""
        if path_with_query is not None and (
            len(path_with_query) > _MAX_TARGET_BYTES
            or _TARGET.fullmatch(path_with_query) is None
            or (path_with_query not in ("", "*") and path_with_query[0] not in "/?")
        ):
            raise WitError
        self._path_with_query = path_with_query

    def scheme(self) -> Variant | None:
        """Return the scheme; ``None`` counts as HTTPS."""
        return self._scheme

    def set_scheme(self, scheme: Variant | None) -> None:
        """Set the scheme; an error when it cannot be one."""
        if scheme is not None and scheme.case == "other" and _SCHEME.fullmatch(scheme.value) is None:
            raise WitError
        self._scheme = scheme

    def authority(self) -> str | None:
        """Return host and port."""
        return self._authority

    def set_authority(self, authority: str | None) -> None:
        """Set host and port; an error when it cannot be one, user information included."""
        if authority is not None and _AUTHORITY.fullmatch(authority) is None:
            raise WitError
        self._authority = authority

    def headers(self) -> Fields:
        """Return the headers, which cannot be changed any more."""
        return Fields.of(self._entries, immutable=True)

    def drop(self) -> None:
        """Give the body up, if the guest took one."""
        if self._sink is not None:
            self._sink.fail(Variant("internal-error", "the request was dropped before it was sent"))

    def to_client(self, options: RequestOptions | None) -> ClientRequest:
        """Return the request as a backend sends it.

        Raises:
            WitError: with the error-code of what cannot be sent.
        """
        if self._method.case == "connect":
            raise WitError(Variant("HTTP-request-method-invalid"))
        scheme = "https" if self._scheme is None else _SCHEMES.get(self._scheme.case)
        if scheme is None or self._authority is None:
            raise WitError(Variant("HTTP-request-URI-invalid"))
        target = self._path_with_query or "/"
        self._check_length()
        method = self._method.value if self._method.case == "other" else self._method.case.upper()
        request = ClientRequest(
            method=method,
            scheme=scheme,
            authority=self._authority,
            path_with_query=f"/{target}" if target.startswith("?") else target,
            headers=[(name, value) for key, name, value in self._entries if key != "content-length"],
            body=None if self._sink is None else Upload(self._sink),
        )
        if options is not None:
            request.connect_timeout_s = _seconds(options.connect_timeout())
            request.first_byte_timeout_s = _seconds(options.first_byte_timeout())
            request.between_bytes_timeout_s = _seconds(options.between_bytes_timeout())
        return request

    def _check_length(self) -> None:
        try:
            length = content_length(self._entries)
        except WitError:
            raise WitError(Variant("HTTP-request-body-size")) from None
        sink = self._sink
        # A finished body of another length cannot be, but one that nothing was written to was not looked at.
        if length and (sink is None or (sink.finished and sink.written != length)):
            raise WitError(Variant("HTTP-request-body-size", 0))


class RequestOptions(HostResource):
    """wasi:http/types.request-options: durations in nanoseconds."""

    __slots__ = ("_between_bytes", "_connect", "_first_byte")

    def __init__(self) -> None:
        self._connect: int | None = None
        self._first_byte: int | None = None
        self._between_bytes: int | None = None

    def connect_timeout(self) -> int | None:
        """Return how long connecting may take."""
        return self._connect

    def set_connect_timeout(self, duration: int | None) -> None:
        """Set how long connecting may take."""
        self._connect = duration

    def first_byte_timeout(self) -> int | None:
        """Return how long the response's head may take."""
        return self._first_byte

    def set_first_byte_timeout(self, duration: int | None) -> None:
        """Set how long the response's head may take, from when the request is sent."""
        self._first_byte = duration

    def between_bytes_timeout(self) -> int | None:
        """Return how long the response's body may pause."""
        return self._between_bytes

    def set_between_bytes_timeout(self, duration: int | None) -> None:
        """Set how long the response's body may pause."""
        self._between_bytes = duration


class OutgoingResponse(HostResource):
    """wasi:http/types.outgoing-response.

    `entries`, `status` and `sink` are the host's; a guest has the methods.
    """

    __slots__ = ("entries", "sink", "status")

    def __init__(self, headers: Fields) -> None:
        self.entries: list[Entry] = headers.entries_
        self.status = 200
        self.sink: BodySink | None = None

    def status_code(self) -> int:
        """Return the status; 200 unless set."""
        return self.status

    def set_status_code(self, status_code: int) -> None:
        """Set the status; an error unless it is 200 to 999 (1xx is never a response's last word)."""
        if not 200 <= status_code <= 999:
            raise WitError
        self.status = status_code

    def headers(self) -> Fields:
        """Return the headers, which cannot be changed any more."""
        return Fields.of(self.entries, immutable=True)

    def body(self) -> OutgoingBody:
        """Return the body; a second time, or with a `content-length` that is no number, is an error."""
        if self.sink is not None:
            raise WitError
        self.sink = BodySink(content_length(self.entries), "HTTP-response-body-size")
        return OutgoingBody(self.sink)


def content_length(entries: list[Entry]) -> int | None:
    """Return the length that the headers announce, ``None`` if they do not.

    Raises:
        WitError: it is no number, or several that differ.
    """
    lengths = {value for key, _, value in entries if key == "content-length"}
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 18:
        raise WitError
    return int(length)


def _seconds(nanoseconds: int | None) -> float | None:
    # aiohttp takes 0 for "no limit", which is not what a guest means by it.
    return None if nanoseconds is None else max(nanoseconds, 1000) / _NANOSECONDS
