"""Where guests may send requests: the hosts that were allowed, and never an inner address that was not named.

A host name says nothing about the address behind it, so names are checked before they are resolved and addresses after,
and the connection goes to the very addresses that were checked: a name that resolves to something else a moment later
(DNS rebinding) has no moment to do it in.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwasr_wasi.addresses import Address, Network, fold_host, is_host_name, is_inner, parse_address, split_port

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Address", "Destination", "Destinations", "Network", "is_inner", "parse_authority"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


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
    host, port = split_port(authority)
    host = fold_host(host)
    address = parse_address(host)
    if address is not None:
        host = str(address)
    elif not is_host_name(host):
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
        host, port = split_port(rest)
        host = fold_host(host)
        address = parse_address(host)
    subdomains = host.startswith("*.")
    name = host[2:] if subdomains else host
    if address is None and name != "*" and not is_host_name(name):
        message = f"{entry!r}: expected [scheme://]host[:port], with *.example.org for the subdomains of a name"
        raise ValueError(message)
    return _Rule(scheme or None, name if address is None else str(address), subdomains, port, address)
