"""wasi:http/types.error-code: its cases, their records, and the status that each stands for.

The cases are those of the Proxy-Status registry (RFC 9209, section 2.3), which also recommends the statuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qwasr.values import Variant
from qwasr_wasi.streams import IoError, StreamFailed

__all__ = [
    "ERROR_KIND",
    "DnsErrorPayload",
    "FieldSizePayload",
    "HttpError",
    "TlsAlertReceivedPayload",
    "describe",
    "internal_error",
    "status_of",
    "stream_failed",
]

ERROR_KIND: Final = "wasi:http/types"
"""What an `IoError` says of itself when its code is an error-code."""

_STATUS: Final = {
    "DNS-timeout": 504,
    "DNS-error": 502,
    "destination-not-found": 500,
    "destination-unavailable": 503,
    "destination-IP-prohibited": 502,
    "destination-IP-unroutable": 502,
    "connection-refused": 502,
    "connection-terminated": 502,
    "connection-timeout": 504,
    "connection-read-timeout": 504,
    "connection-write-timeout": 504,
    "connection-limit-reached": 503,
    "TLS-protocol-error": 502,
    "TLS-certificate-error": 502,
    "TLS-alert-received": 502,
    "HTTP-request-denied": 403,
    "HTTP-request-length-required": 411,
    "HTTP-request-body-size": 413,
    "HTTP-request-method-invalid": 400,
    "HTTP-request-URI-invalid": 400,
    "HTTP-request-URI-too-long": 414,
    "HTTP-request-header-section-size": 431,
    "HTTP-request-header-size": 431,
    "HTTP-request-trailer-section-size": 431,
    "HTTP-request-trailer-size": 431,
    "HTTP-response-incomplete": 502,
    "HTTP-response-header-section-size": 502,
    "HTTP-response-header-size": 502,
    "HTTP-response-body-size": 502,
    "HTTP-response-trailer-section-size": 502,
    "HTTP-response-trailer-size": 502,
    "HTTP-response-transfer-coding": 502,
    "HTTP-response-content-coding": 502,
    "HTTP-response-timeout": 504,
    "HTTP-upgrade-failed": 502,
    "HTTP-protocol-error": 502,
    "loop-detected": 502,
    "configuration-error": 500,
    "internal-error": 500,
}


class HttpError(Exception):
    """An exchange with another server failed.

    Args:
        code: the WIT's error-code, for the guest.
    """

    def __init__(self, code: Variant) -> None:
        super().__init__(code.case)
        self.code = code


@dataclass(frozen=True, slots=True)
class DnsErrorPayload:
    """The record `DNS-error-payload`."""

    rcode: str | None = None
    info_code: int | None = None


@dataclass(frozen=True, slots=True)
class TlsAlertReceivedPayload:
    """The record `TLS-alert-received-payload`."""

    alert_id: int | None = None
    alert_message: str | None = None


@dataclass(frozen=True, slots=True)
class FieldSizePayload:
    """The record `field-size-payload`."""

    field_name: str | None = None
    field_size: int | None = None


_MAX_SHOWN: Final = 500  # characters of what a guest says of its error


def describe(code: Variant) -> str:
    """Return a code for the log: one line of bounded length, whatever a guest has put into it."""
    if code.value is None:
        return code.case
    text = str(code.value)
    if len(text) > _MAX_SHOWN:
        text = f"{text[:_MAX_SHOWN]} …"
    return f"{code.case}: {text if text.isprintable() else ascii(text)}"


def internal_error(message: str | None = None) -> Variant:
    """Return the case `internal-error`; the message is for the guest, so it names nothing of the host."""
    return Variant("internal-error", message)


def status_of(code: Variant) -> int:
    """Return the status that answers a client when a guest sets this error instead of a response."""
    return _STATUS.get(code.case, 500)


def stream_failed(message: str, code: Variant) -> StreamFailed:
    """Return the failure of a body's stream, from which `http-error-code` finds the code again."""
    return StreamFailed(IoError(message, kind=ERROR_KIND, code=code))
