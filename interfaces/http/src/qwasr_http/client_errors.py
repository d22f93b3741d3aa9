"""What goes wrong with an outgoing request, as the WIT's error-code."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong, PayloadEncodingError

from qwasr.values import Variant
from qwasr_http.codes import DnsErrorPayload, FieldSizePayload, HttpError, TlsAlertReceivedPayload, internal_error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AddressProhibited", "DnsTimeout", "error_code"]


class AddressProhibited(OSError):
    """A name has no address that a request may go to."""


class DnsTimeout(OSError):
    """A name was not resolved in time."""


_BY_ERRNO: Final = {
    errno.ECONNREFUSED: "connection-refused",
    errno.EHOSTUNREACH: "destination-IP-unroutable",
    errno.ENETUNREACH: "destination-IP-unroutable",
    errno.EADDRNOTAVAIL: "destination-IP-unroutable",
    errno.ETIMEDOUT: "connection-timeout",
    errno.ECONNRESET: "connection-terminated",
    errno.EPIPE: "connection-terminated",
    errno.ECONNABORTED: "connection-terminated",
    errno.EMFILE: "connection-limit-reached",
    errno.ENFILE: "connection-limit-reached",
}

_DNS_RCODES: Final = {
    socket.EAI_NONAME: "NXDOMAIN",
    socket.EAI_AGAIN: "SERVFAIL",
    socket.EAI_FAIL: "SERVFAIL",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "NXDOMAIN",
}


def error_code(error: BaseException) -> Variant:
    """Return the code for an exception of aiohttp, or for what it was raised from.

    Args:
        error: what `ClientSession.request` or reading a body raised.
    """
    for cause in _causes(error):
        code = _code(cause)
        if code is not None:
            return code
    return internal_error()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then what it stands for, from the most to the least telling."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    found = []
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.append(one)
        further = (one.__cause__, getattr(one, "os_error", None))
        pending.extend(cause for cause in further if isinstance(cause, BaseException))
    yield from reversed(found)


def _code(error: BaseException) -> Variant | None:
    if isinstance(error, HttpError):
        return error.code
    if isinstance(error, AddressProhibited):
        return Variant("destination-IP-prohibited")
    if isinstance(error, DnsTimeout):
        return Variant("DNS-timeout")
    if isinstance(error, socket.gaierror):
        return Variant("DNS-error", DnsErrorPayload(rcode=_DNS_RCODES.get(error.errno)))
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Variant("connection-timeout")
    if isinstance(error, aiohttp.SocketTimeoutError):
        return Variant("connection-read-timeout")
    if isinstance(error, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError):
        return Variant("TLS-certificate-error")
    if isinstance(error, ssl.SSLError):
        return _tls_code(error)
    if isinstance(error, LineTooLong):
        return Variant("HTTP-response-header-size", FieldSizePayload())
    if isinstance(error, HttpProcessingError) and "Too many headers" in error.message:
        return Variant("HTTP-response-header-section-size")
    if isinstance(error, PayloadEncodingError | aiohttp.ClientPayloadError):
        return Variant("HTTP-response-incomplete")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Variant("connection-terminated")
    if isinstance(error, aiohttp.InvalidURL | UnicodeError):
        return Variant("HTTP-request-URI-invalid" if isinstance(error, aiohttp.InvalidURL) else "HTTP-protocol-error")
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return Variant(_BY_ERRNO[error.errno])
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError | ValueError):
        return Variant("HTTP-protocol-error")
    if isinstance(error, ConnectionError | aiohttp.ClientConnectionError):
        return Variant("connection-terminated")
    return None


def _tls_code(error: ssl.SSLError) -> Variant:
    reason = error.reason or ""
    if "ALERT" in reason:
        name = reason.partition("ALERT_")[2].replace("_", " ").lower() or None
        return Variant("TLS-alert-received", TlsAlertReceivedPayload(alert_message=name))
    return Variant("TLS-protocol-error")
