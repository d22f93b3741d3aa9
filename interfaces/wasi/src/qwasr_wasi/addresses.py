"""Addresses and host names as rules need them: which spelling is one, and which address belongs inside.

One copy for everything through which a guest reaches out: `wasi:http` and `wasi:sockets` refuse the same addresses.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = [
    "Address",
    "Network",
    "fold_host",
    "is_host_name",
    "is_inner",
    "is_inner_network",
    "parse_address",
    "split_port",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_NAME: Final = 253  # RFC 1035, without the dot at the end
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # resolvers take what ends so for an IPv4 address

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


def is_inner_network(network: Network) -> bool:
    """Say whether a network lies inside as a whole, so that whoever writes it down means inner addresses."""
    if network.num_addresses == 1:
        return is_inner(network.network_address)
    if isinstance(network, ipaddress.IPv4Network):
        return any(network.subnet_of(inner) for inner in _INNER_V4)
    return any(network.subnet_of(inner) for inner in _INNER_V6)


def is_host_name(text: str) -> bool:
    """Say whether a folded text is a host name, and no address in a spelling that only resolvers read (``127.1``)."""
    return len(text) <= _MAX_NAME and _NAME.fullmatch(text) is not None and _NUMBER.fullmatch(text) is None


def fold_host(host: str) -> str:
    """Return a host as it is compared: lower case, without the dot at the end."""
    return host.lower() if host.endswith("*.") else host.lower().removesuffix(".")


def split_port(authority: str) -> tuple[str, int | None]:
    """Return host and port of ``host[:port]``, where an IPv6 host stands in brackets.

    Raises:
        ValueError: the port is no number from 1 to 65535.
    """
    host, colon, digits = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority, None
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= 65535:
        message = f"{authority!r}: the port has to be a number from 1 to 65535"
        raise ValueError(message)
    return host, int(digits)


def parse_address(host: str) -> Address | None:
    """Return the address that a host is, ``None`` if it is a name.

    Args:
        host: ``127.0.0.1`` or ``[::1]``.

    Raises:
        ValueError: what stands in brackets is no address, or has a zone.
    """
    if host.startswith("[") and host.endswith("]"):
        if "%" in host:
            message = "an address with a zone is one of this host's links"
            raise ValueError(message)
        return ipaddress.IPv6Address(host[1:-1])
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None
