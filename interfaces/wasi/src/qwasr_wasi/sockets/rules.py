"""What guests may do with sockets: the rules of `QWASR_SOCKETS_ALLOW`.

A guest connects to addresses, an operator writes names. So a name of a `connect` rule may also be looked up, and what
the look-up answered counts as that name for the rest of the guest's call. As for HTTP, an inner address has to be named
itself, by address or network, or lie in one of the private networks that a looked-up name may lead to.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from qwasr_wasi.addresses import (
    Address,
    Network,
    fold_host,
    is_host_name,
    is_inner,
    is_inner_network,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Protocol", "SocketRules"]

Protocol = Literal["tcp", "udp"]

_GRAMMAR: Final = (
    "expected connect:HOST:PORT, listen:[ADDRESS:]PORT or resolve:NAME; "
    "/tcp or /udp may follow a port, a port may be a range 8000-8099 or *"
)
_ANY: Final[tuple[Network, ...]] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
_LOOPBACK: Final[tuple[Network, ...]] = (ipaddress.IPv4Network("127.0.0.1"), ipaddress.IPv6Network("::1"))


@dataclass(frozen=True, slots=True)
class _Host:
    """A host of a rule: networks, an address being one of a single address, or a name, or both for localhost."""

    networks: tuple[Network, ...] = ()
    name: str = ""  # "*" for every name
    subdomains: bool = False

    def holds(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def reaches(self, address: Address) -> bool:
        """Say whether the address is meant: an inner one only by a network that is all inner."""
        inner = is_inner(address)
        return any(address in network and (not inner or is_inner_network(network)) for network in self.networks)

    def covers(self, name: str) -> bool:
        if self.name == "*":
            return True
        return name.endswith(f".{self.name}") if self.subdomains else name == self.name


@dataclass(frozen=True, slots=True)
class _Rule:
    host: _Host
    ports: range
    protocols: tuple[str, ...]

    def fits(self, protocol: Protocol, port: int) -> bool:
        return protocol in self.protocols and port in self.ports


class SocketRules:
    """The rules of one runtime.

    Args:
        allow: entries ``connect:HOST:PORT``, ``listen:[ADDRESS:]PORT`` and ``resolve:NAME``. A host is a name,
            ``*.example.org`` for its subdomains, ``*`` for all that is not inner, an address (IPv6 in brackets) or a
            network ``10.0.0.0/8``; a port is a number, a range ``8000-8099`` or ``*``, with ``/tcp`` or ``/udp`` after
            it for one of the two. ``listen:0`` is a port that the system chooses.
        private: networks (CIDR) that a looked-up name of a `connect` rule may lead to.

    Raises:
        ValueError: an entry is none.
    """

    def __init__(self, allow: Iterable[str] = (), private: Iterable[str] = ()) -> None:
        self._connect: list[_Rule] = []
        self._listen: list[_Rule] = []
        self._resolve: list[_Host] = []
        self._private: list[Network] = [ipaddress.ip_network(network.strip()) for network in private]
        for entry in allow:
            verb, _, rest = entry.strip().partition(":")
            match verb:
                case "connect":
                    self._connect.append(_connect_rule(entry, rest))
                case "listen":
                    self._listen.append(_listen_rule(entry, rest))
                case "resolve":
                    self._resolve.append(_named_host(entry, rest))
                case _:
                    raise _not_a_rule(entry)

    def __bool__(self) -> bool:
        """Say whether anything is allowed."""
        return bool(self._connect or self._listen or self._resolve)

    def may_have_socket(self, protocol: Protocol) -> bool:
        """Say whether there is any use for a socket."""
        return any(protocol in rule.protocols for rule in (*self._connect, *self._listen))

    def may_call_out(self, protocol: Protocol) -> bool:
        """Say whether there is anything to connect to, and so a reason for a local address of the system's choice."""
        return any(protocol in rule.protocols for rule in self._connect)

    def may_listen(self, protocol: Protocol, address: Address, port: int) -> bool:
        """Say whether a guest may wait for strangers at a local address.

        Args:
            protocol: which of the two.
            address: the address that the guest asked for, which may be the unspecified one.
            port: the port that it asked for, 0 for any.
        """
        return any(rule.fits(protocol, port) and rule.host.holds(address) for rule in self._listen)

    def may_connect(self, protocol: Protocol, address: Address, port: int, names: Collection[str] = ()) -> bool:
        """Say whether a guest may send to an address.

        Args:
            protocol: which of the two.
            address: where to.
            port: where to.
            names: the names for which the guest was answered this address.
        """
        rules = [rule for rule in self._connect if rule.fits(protocol, port)]
        if any(rule.host.reaches(address) for rule in rules):
            return True
        if is_inner(address) and not any(address in network for network in self._private):
            # The one name that leads inside by itself, and only for a rule that says it.
            meant = address.is_loopback and "localhost" in names
            return meant and any(rule.host.name == "localhost" and not rule.host.subdomains for rule in rules)
        return any(rule.host.covers(name) for rule in rules if rule.host.name for name in names)

    def may_resolve(self, name: str) -> bool:
        """Say whether a folded host name may be looked up, as a `resolve` or as the host of a `connect`."""
        return any(host.covers(name) for host in self._resolve) or self.may_connect_to_name(name)

    def may_connect_to_name(self, name: str) -> bool:
        """Say whether a folded host name is the host of a `connect`, so that its addresses are worth remembering."""
        return any(rule.host.name and rule.host.covers(name) for rule in self._connect)


def _connect_rule(entry: str, rest: str) -> _Rule:
    host, protocols, ports = _split(entry, rest, lowest=1)
    if host == "*":
        return _Rule(_Host(_ANY, "*"), ports, protocols)
    networks = _networks(entry, host)
    if networks:
        return _Rule(_Host(networks), ports, protocols)
    named = _named_host(entry, host)
    if named.name == "localhost" and not named.subdomains:
        named = _Host(_LOOPBACK, "localhost")
    return _Rule(named, ports, protocols)


def _listen_rule(entry: str, rest: str) -> _Rule:
    host, protocols, ports = _split(entry, rest if ":" in rest else f"*:{rest}", lowest=0)
    if host == "*":
        networks = _ANY
    elif fold_host(host) == "localhost":
        networks = _LOOPBACK
    else:
        networks = _networks(entry, host)
    if not networks:
        raise _not_a_rule(entry)
    return _Rule(_Host(networks), ports, protocols)


def _named_host(entry: str, text: str) -> _Host:
    host = fold_host(text)
    subdomains = host.startswith("*.")
    name = host[2:] if subdomains else host
    if name != "*" and not is_host_name(name):
        raise _not_a_rule(entry)
    return _Host(name=name, subdomains=subdomains)


def _split(entry: str, rest: str, *, lowest: int) -> tuple[str, tuple[str, ...], range]:
    """Return host, protocols and ports."""
    head, _, tail = rest.rpartition("/")
    protocols: tuple[str, ...] = ("tcp", "udp")
    if tail in protocols:
        rest, protocols = head, (tail,)
    host, colon, ports = rest.rpartition(":")
    if not colon or not host:
        raise _not_a_rule(entry)
    if ports == "*":
        return host, protocols, range(lowest, 65536)
    first, dash, last = ports.partition("-")
    numbers = [first, last] if dash else [first]
    if not all(number.isascii() and number.isdigit() and len(number) <= 5 for number in numbers):
        raise _not_a_rule(entry)
    found = range(int(numbers[0]), int(numbers[-1]) + 1)
    if not found or found[0] < lowest or found[-1] > 65535:
        message = f"{entry!r}: ports are {lowest} to 65535"
        raise ValueError(message)
    return host, protocols, found


def _networks(entry: str, host: str) -> tuple[Network, ...]:
    """Return the address or network that a host is, nothing if it is a name."""
    bare = host.replace("[", "").replace("]", "") if host.startswith("[") else host
    if "/" in bare:
        if ":" in bare and not host.startswith("["):
            raise _not_a_rule(entry)
        try:
            return (ipaddress.ip_network(bare),)
        except ValueError as error:
            message = f"{entry!r}: {error}"
            raise ValueError(message) from None
    address = parse_address(host)
    return () if address is None else (ipaddress.ip_network(address),)


def _not_a_rule(entry: str) -> ValueError:
    return ValueError(f"{entry!r}: {_GRAMMAR}")
