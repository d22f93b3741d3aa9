"""wasi:sockets/ip-name-lookup: addresses of host names."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostInterface, HostResource
from qwasr.values import WitError
from qwasr_wasi.addresses import fold_host, is_host_name
from qwasr_wasi.poll import FutureWaitable, Pollable
from qwasr_wasi.sockets.wire_addresses import ip_value

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr.values import Variant
    from qwasr_wasi.addresses import Address
    from qwasr_wasi.protocol import Wasi
    from qwasr_wasi.sockets.access import CallSockets, SocketAccess
    from qwasr_wasi.sockets.network import Network

__all__ = ["IpNameLookup", "ResolveAddressStream"]

_MAX_NAME: Final = 254  # with the dot at the end


class ResolveAddressStream(HostResource):
    """wasi:sockets/ip-name-lookup.resolve-address-stream: the addresses of one name, as they become known."""

    __slots__ = ("_found", "_mine", "_next", "_waitable")

    def __init__(self, found: asyncio.Future[list[Address]], mine: CallSockets) -> None:
        self._found = found
        self._waitable = FutureWaitable(found)
        self._mine = mine
        self._next = 0
        mine.held += 1

    def resolve_next_address(self) -> Variant | None:
        """Return the next address, nothing after the last.

        Raises:
            WitError: `would-block` as long as none is known; then what went wrong, every time.
        """
        if not self._found.done():
            raise WitError("would-block")
        if self._found.cancelled():
            raise WitError("temporary-resolver-failure")
        addresses = self._found.result()
        if self._next == len(addresses):
            return None
        self._next += 1
        return ip_value(addresses[self._next - 1])

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when the addresses, or a failure, are known."""
        return Pollable(self._waitable)

    def drop(self) -> None:
        """Ask no longer."""
        self._mine.held -= 1
        if not self._found.done():
            self._found.cancel()
        elif not self._found.cancelled():
            self._found.exception()  # known now, in case the guest never asked


class IpNameLookup(HostInterface, wit="wasi:sockets/ip-name-lookup", resources=(ResolveAddressStream,)):
    """wasi:sockets/ip-name-lookup: addresses of names."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._access = backends.default.sockets

    def resolve_addresses(self, network: Network, name: str) -> ResolveAddressStream:
        """Return the addresses of a name, or the address that the name already is, for which no one is asked.

        Raises:
            WitError: `access-denied`: no rule names it; `invalid-argument`: it is no name; `new-socket-limit`.
        """
        access = self._access
        if not access.rules:
            raise WitError("access-denied")
        address = _literal(name)
        host = None if address is not None else _host_name(name)
        if host is not None and not access.rules.may_resolve(host):
            raise WitError("access-denied")
        mine = access.of_call()
        access.check_room(mine)
        found: asyncio.Future[list[Address]]
        if host is None:
            found = asyncio.get_running_loop().create_future()
            found.set_result([] if address is None else [address])
        else:
            found = asyncio.ensure_future(_look_up(access, mine, host))
        return ResolveAddressStream(found, mine)


async def _look_up(access: SocketAccess, mine: CallSockets, host: str) -> list[Address]:
    addresses = await access.lookups.look_up(host)
    if access.rules.may_connect_to_name(host):
        mine.remember(host, addresses)
    return addresses


def _literal(name: str) -> Address | None:
    if len(name) > _MAX_NAME or "%" in name or "/" in name:
        return None
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _host_name(name: str) -> str:
    """Return the folded ASCII form of a host name.

    Raises:
        WitError: `invalid-argument`: it is none.
    """
    if len(name) <= _MAX_NAME:  # before it is encoded, which takes long for long ones
        try:
            host = fold_host(name if name.isascii() else name.encode("idna").decode("ascii"))
        except UnicodeError:
            raise WitError("invalid-argument") from None
        if is_host_name(host):
            return host
    raise WitError("invalid-argument")
