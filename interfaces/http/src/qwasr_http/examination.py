"""What the head of a request has to be before a guest is made for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwasr_http.limits import header_bytes

if TYPE_CHECKING:
    from qwasr_http.exchange import Exchange
    from qwasr_http.limits import Limits

__all__ = ["examine"]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~:@/+=-]{1,128}")
_ABSOLUTE: Final = re.compile(r"[^:]*://([^/?#]*)(.*)", re.DOTALL)


def examine(exchange: Exchange, limits: Limits) -> tuple[int, str] | None:
    """Read target, authority and request id into the exchange.

    Returns:
        The status and the sentence that the request is refused with; ``None`` if it is not.
    """
    message = exchange.message
    if header_bytes(message.raw_headers) > limits.header_bytes:
        return 431, f"The header lines are longer than {limits.header_bytes} bytes."
    path, headers = message.path, message.headers
    if path[0] == "/" or path == "*":
        exchange.target = path
        exchange.authority = headers.get("Host")
    elif message.method == "CONNECT":
        return 501, "This server is no proxy."
    else:  # the absolute form, which a server has to accept (RFC 9112 section 3.2.2)
        absolute = _ABSOLUTE.fullmatch(path)
        if absolute is None:
            return 400, "The request target is none."
        exchange.authority, rest = absolute.groups()
        exchange.target = rest if rest.startswith("/") else f"/{rest}"
    # aiohttp decodes what is no UTF-8 to surrogates, which no WIT string can hold.
    if not path.isascii() or not (exchange.authority or "").isascii():
        return 400, "The request target or the host is not ASCII."
    given = headers.get("X-Request-ID")
    if given is not None and _REQUEST_ID.fullmatch(given) is not None:
        exchange.id = given
    proxies = exchange.protocol.proxies
    if proxies is not None and (forwarded := proxies.read(headers)) is not None:
        exchange.forwarded = forwarded
        if forwarded.host is not None:
            exchange.authority = forwarded.host
    if exchange.payload.total_bytes or not exchange.payload.is_eof():
        return _examine_body(exchange, limits.body_bytes)
    return None


def _examine_body(exchange: Exchange, max_body_bytes: int) -> tuple[int, str] | None:
    headers = exchange.message.headers
    expectation = headers.get("Expect")
    if expectation is not None and not exchange.payload.is_eof() and exchange.message.version >= (1, 1):
        exchange.expects = True
        if expectation.lower() != "100-continue":
            return 417, "The expectation is unknown."
    length = headers.get("Content-Length")
    if length is not None and length.isdigit() and int(length) > max_body_bytes:
        return 413, f"The body is longer than {max_body_bytes} bytes."
    return None
