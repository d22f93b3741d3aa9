"""Where guests may send requests: the hosts that were allowed, and never an inner address that was not named.

A host name says nothing about the address behind it, so names are checked before they are resolved and addresses after,
and the connection goes to the very addresses that were checked: a name that resolves to something else a moment later
(DNS rebinding) has no moment to do it in.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Address", "Destination", "Destinations", "Network", "is_inner", "parse_authority"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Beside what `ipaddress` calls not global, and in case one of its versions does not.
_INNER_V4: Final = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata service of one cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's platform services behind a public-looking address
        "169.254.0.0/16",  # link-local, and most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_INNER_V6: Final = [
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
]
_EMBEDDING_V6: Final = [  # networks whose addresses carry an IPv4 address, and how far right it stands, in bits
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),  # NAT64, local use
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
]


def is_inner(address: Address) -> bool:
    """Say whether an address belongs to this host, this network or no one: whether a stranger's name may not mean it.

    Args:
        address: IPv4 or IPv6; an IPv4 address inside of an IPv6 one counts as itself.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not address.is_global or address.is_multicast or any(address in network for network in _INNER_V4)
    for network, shift in _EMBEDDING_V6:
        if address in network:
            return is_inner(ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
    return not address.is_global or address.is_multicast or any(address in network for network in _INNER_V6)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one request goes.

    Attributes:
        scheme: ``"http"`` or ``"https"``.
        host: lower case, without brackets or a dot at the end.
        port: the scheme's own unless given.
        address: the host, when it is an address.
    """

    scheme: str
    host: str
    port: int
    address: Address | None


@dataclass(frozen=True, slots=True)
class _Rule:
    scheme: str | None
    host: str  # "*" for any host
    subdomains: bool
    port: int | None
    address: Address | None

    def covers(self, destination: Destination) -> bool:
        if self.scheme not in (None, destination.scheme) or self.port not in (None, destination.port):
            return False
        if self.address is not None:
            return self.address == destination.address
        if self.host == "*":
            return True
        if self.subdomains:
            return destination.address is None and destination.host.endswith(f".{self.host}")
        return self.host == destination.host

    def names(self, destination: Destination, address: Address) -> bool:
        if self.scheme not in (None, destination.scheme) or self.port not in (None, destination.port):
            return False
        return self.address == address or (self.host == "localhost" == destination.host and address.is_loopback)


class Destinations:
    """The allowed destinations.

    Args:
        allow: entries ``[scheme://]host[:port]``; what an entry leaves out may be anything. ``*.example.org`` means
            its subdomains only, ``*`` every host. An inner address has to be an entry itself (``localhost`` is one
            for loopback), or lie in one of the `private` networks.
        private: networks (CIDR) whose addresses an allowed name may resolve to.

    Raises:
        ValueError: an entry is none.
    """

    def __init__(self, allow: Iterable[str], private: Iterable[str] = ()) -> None:
        self._rules = [_parse_rule(entry) for entry in allow]
        self._private: list[Network] = [ipaddress.ip_network(network) for network in private]

    def allows(self, destination: Destination) -> bool:
        """Say whether an entry covers the destination, whatever its address."""
        return any(rule.covers(destination) for rule in self._rules)

    def permits(self, destination: Destination, address: Address) -> bool:
        """Say whether a request to an allowed destination may go to this address."""
        if not is_inner(address) or any(rule.names(destination, address) for rule in self._rules):
            return True
        # A guest that may speak to a name inside may not therefore try the addresses around it.
        return destination.address is None and any(address in network for network in self._private)


def parse_authority(scheme: str, authority: str) -> Destination:
    """Return where an authority points.

    Raises:
        ValueError: it is none, or spells an address in one of the ways that only resolvers read.
    """
    host, port = _split_port(authority)
    host = _folded(host)
    address = _parse_address(host)
    if address is not None:
        host = str(address)
    elif _NAME.fullmatch(host) is None or len(host) > 253 or host.replace(".", "").isdigit():
        message = "not a host name"
        raise ValueError(message)
    return Destination(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, address)


def _parse_rule(entry: str) -> _Rule:
    scheme, separator, rest = entry.strip().rpartition("://")
    scheme = scheme.lower()
    if separator and scheme not in _DEFAULT_PORTS:
        message = f"{entry!r}: the scheme has to be http or https"
        raise ValueError(message)
    try:
        # IPv6 without brackets, which a port cannot follow.
        address: Address | None = ipaddress.ip_address(rest)
        host, port = rest, None
    except ValueError:
        host, port = _split_port(rest)
        host = _folded(host)
        address = _parse_address(host)
    subdomains = host.startswith("*.")
    name = host[2:] if subdomains else host
    if address is None and name != "*" and (_NAME.fullmatch(name) is None or name.replace(".", "").isdigit()):
        message = f"{entry!r}: expected [scheme://]host[:port], with *.example.org for the subdomains of a name"
        raise ValueError(message)
    return _Rule(scheme or None, name if address is None else str(address), subdomains, port, address)


def _folded(host: str) -> str:
    return host.lower() if host.endswith("*.") else host.lower().removesuffix(".")


def _split_port(authority: str) -> tuple[str, int | None]:
    host, colon, digits = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority, None
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= 65535:
        message = f"{authority!r}: the port has to be a number from 1 to 65535"
        raise ValueError(message)
    return host, int(digits)


def _parse_address(host: str) -> Address | None:
    if host.startswith("[") and host.endswith("]"):
        if "%" in host:
            message = "an address with a zone is one of this host's links"
            raise ValueError(message)
        return ipaddress.IPv6Address(host[1:-1])
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None
