"""Socket addresses between a guest, a rule and the operating system."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from qwasr.values import Variant, WitError

if TYPE_CHECKING:
    from qwasr_wasi.addresses import Address

__all__ = ["Family", "SocketAddress", "ip_value"]

Family = Literal["ipv4", "ipv6"]

_MAX_FLOW_INFO: Final = 0xF_FFFF  # RFC 6437: a flow label has 20 bits
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class _Ipv4Value:
    port: int
    address: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Ipv6Value:
    port: int
    flow_info: int
    address: tuple[int, ...]
    scope_id: int


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address and a port, and what only IPv6 has; the flow label is no part of who it is."""

    ip: Address
    port: int
    flow_info: int = field(default=0, compare=False)
    scope_id: int = 0

    @classmethod
    def from_guest(cls, value: Variant, family: Family) -> SocketAddress:
        """Return what a guest's `ip-socket-address` says.

        Raises:
            WitError: `invalid-argument`: it is of the other family, IPv4 inside of IPv6, multicast or broadcast, or its
                flow label has more bits than there are.
        """
        if value.case != family:
            raise WitError("invalid-argument")
        record: Any = value.value
        if family == "ipv4":
            v4 = ipaddress.IPv4Address(bytes(record.address))
            if v4.is_multicast or v4 == _BROADCAST:
                raise WitError("invalid-argument")
            return cls(v4, record.port)
        v6 = ipaddress.IPv6Address(b"".join(part.to_bytes(2, "big") for part in record.address))
        if v6.is_multicast or v6.ipv4_mapped is not None or record.flow_info > _MAX_FLOW_INFO:
            raise WitError("invalid-argument")
        return cls(v6, record.port, record.flow_info, record.scope_id)

    @classmethod
    def from_system(cls, address: Any) -> SocketAddress:
        """Return what a function of Python's `socket` answered."""
        if len(address) == 2:
            return cls(ipaddress.IPv4Address(address[0]), address[1])
        host, port, flow_info, scope_id = address
        return cls(ipaddress.IPv6Address(host.partition("%")[0]), port, flow_info, scope_id)

    def for_system(self) -> tuple[Any, ...]:
        """Return it as Python's `socket` takes it."""
        if isinstance(self.ip, ipaddress.IPv4Address):
            return str(self.ip), self.port
        return str(self.ip), self.port, self.flow_info, self.scope_id

    def for_guest(self) -> Variant:
        """Return it as the WIT's `ip-socket-address`."""
        family, parts = _parts(self.ip)
        if family == "ipv4":
            return Variant(family, _Ipv4Value(self.port, parts))
        return Variant(family, _Ipv6Value(self.port, self.flow_info, parts, self.scope_id))

    def as_remote(self) -> SocketAddress:
        """Return it, if one can send there.

        Raises:
            WitError: `invalid-argument`: it has no port, or no address.
        """
        if not self.port or self.ip.is_unspecified:
            raise WitError("invalid-argument")
        return self


def ip_value(address: Address) -> Variant:
    """Return an address as the WIT's `ip-address`."""
    return Variant(*_parts(address))


def _parts(address: Address) -> tuple[Family, tuple[int, ...]]:
    packed = address.packed
    if isinstance(address, ipaddress.IPv4Address):
        return "ipv4", tuple(packed)
    return "ipv6", tuple(int.from_bytes(packed[at : at + 2], "big") for at in range(0, 16, 2))
