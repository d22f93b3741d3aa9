"""What a proxy in front says of a request, believed only from proxies that are trusted.

`X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239) can be written by anyone. From a peer that is not
trusted they are taken out of the request. From one that is, the chain is read from its end: the first address that is
no trusted proxy is the client, and scheme and host are those that the proxy next to it wrote.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwasr.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multidict import CIMultiDictProxy

__all__ = ["FORWARDING", "Forwarded", "TrustedProxies"]

FORWARDING: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})
"""The headers that this is about."""

_UNIX: Final = "unix"
_MAX_HOPS: Final = 64
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PAIR: Final = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*))[ \t]*([;,]|$)")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What is believed of a request.

    Attributes:
        client: the client's address, ``None`` when no proxy says it.
        secure: whether the client came over TLS, ``None`` when no proxy says it.
        host: host and perhaps port that the client named, ``None`` when no proxy says it.
    """

    client: str | None = None
    secure: bool | None = None
    host: str | None = None


class TrustedProxies:
    """The proxies whose word is believed.

    Args:
        entries: addresses and networks (``10.0.0.0/8``); ``unix`` for all peers on Unix sockets.

    Raises:
        OptionError: an entry is none.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._unix = _UNIX in entries
        try:
            self._networks = [ipaddress.ip_network(entry) for entry in entries if entry != _UNIX]
        except ValueError as error:
            message = f"HTTP_TRUSTED_PROXIES does not fit: {error}; expected networks such as 10.0.0.0/8, or unix"
            raise OptionError(message) from None

    def trusts(self, peer: str | None) -> bool:
        """Say whether a peer is a trusted proxy; ``None`` is one on a Unix socket."""
        if peer is None:
            return self._unix
        if not self._networks:
            return False
        address = _address(peer)
        return address is not None and any(address in network for network in self._networks)

    def read(self, headers: CIMultiDictProxy[str]) -> Forwarded | None:
        """Return what a trusted proxy says in a request's headers, ``None`` when it says nothing.

        Most proxies write one kind of header and let the other pass. So when both are there, only what both say alike
        is believed.
        """
        ours = self._x_forwarded(headers)
        standard = self._forwarded(headers)
        if ours is None or standard is None:
            return ours or standard
        return Forwarded(
            ours.client if ours.client == standard.client else None,
            ours.secure if ours.secure == standard.secure else None,
            ours.host if ours.host == standard.host else None,
        )

    def _x_forwarded(self, headers: CIMultiDictProxy[str]) -> Forwarded | None:
        chain = _list(headers, "X-Forwarded-For")
        protocols = _list(headers, "X-Forwarded-Proto")
        hosts = _list(headers, "X-Forwarded-Host")
        if not (chain or protocols or hosts):
            return None
        hop = self._first_stranger(chain)
        return Forwarded(
            _client(chain[-hop]) if chain else None,
            _secure(protocols[-min(hop, len(protocols))]) if protocols else None,
            _host(hosts[-min(hop, len(hosts))]) if hosts else None,
        )

    def _forwarded(self, headers: CIMultiDictProxy[str]) -> Forwarded | None:
        values = headers.getall("Forwarded", ())
        if not values:
            return None
        elements = _elements(",".join(values))
        if not elements:
            return Forwarded()
        element = elements[-self._first_stranger([element.get("for", "") for element in elements])]
        return Forwarded(
            _client(element.get("for", "")), _secure(element.get("proto", "")), _host(element.get("host", ""))
        )

    def _first_stranger(self, chain: Sequence[str]) -> int:
        """Return which of the chain, counted from its end, is the first that is no trusted proxy."""
        for hop, text in enumerate(reversed(chain[-_MAX_HOPS:]), 1):
            client = _client(text)
            if client is None or not self.trusts(client):
                return hop
        return max(1, min(len(chain), _MAX_HOPS))


def _list(headers: CIMultiDictProxy[str], name: str) -> list[str]:
    return [part.strip() for value in headers.getall(name, ()) for part in value.split(",")]


def _elements(value: str) -> list[dict[str, str]]:
    """Return the elements of `Forwarded`, none of them if one is malformed."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(value):
        found = _PAIR.match(value, at)
        if found is None:
            return []
        name, quoted, token, end = found.groups()
        if name.lower() in elements[-1]:  # each at most once (section 4)
            return []
        elements[-1][name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = found.end()
        if end == ",":
            elements.append({})
        elif not end:
            break
    return elements


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _client(text: str) -> str | None:
    """Return the address of ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1``, ``[2001:db8::1]:80``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = _address(text)
    return None if address is None else str(address)


def _secure(text: str) -> bool | None:
    return {"https": True, "http": False}.get(text.lower())


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) is not None else None
