"""What a guest's code does with sockets, on the very objects that its handles would stand for."""

from __future__ import annotations

import ipaddress
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_wasi.sockets.access import SocketAccess
from qwasr_wasi.sockets.name_lookup import IpNameLookup
from qwasr_wasi.sockets.network import InstanceNetwork
from qwasr_wasi.sockets.rules import SocketRules
from qwasr_wasi.sockets.tcp import TcpCreateSocket, TcpSocket
from qwasr_wasi.sockets.udp import UdpCreateSocket, UdpSocket

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
ANYWHERE = {"ipv4": "0.0.0.0", "ipv6": "::"}


def at(host: str, port: int, *, flow_info: int = 0, scope_id: int = 0) -> Variant:
    """An `ip-socket-address` as the engine lifts it."""
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return Variant("ipv4", SimpleNamespace(port=port, address=tuple(address.packed)))
    parts = tuple(int(part, 16) for part in address.exploded.split(":"))
    return Variant("ipv6", SimpleNamespace(port=port, flow_info=flow_info, address=parts, scope_id=scope_id))


def host_of(address: Variant) -> str:
    if address.case == "ipv4":
        return ".".join(map(str, address.value.address))
    return str(ipaddress.IPv6Address(":".join(f"{part:x}" for part in address.value.address)))


def code(function: Any, *args: Any) -> str:
    """The error code of a call that has to fail."""
    with pytest.raises(WitError) as caught:
        function(*args)
    assert isinstance(caught.value.value, str)
    return caught.value.value


class Guest:
    """A guest with these rules."""

    def __init__(self, *allow: str, private: Iterable[str] = (), **settings: Any) -> None:
        self.access = SocketAccess(SocketRules(allow, private), **settings)
        backends: Any = SimpleNamespace(default=SimpleNamespace(sockets=self.access))
        self.network = InstanceNetwork(backends).instance_network()
        self.create_tcp = TcpCreateSocket(backends).create_tcp_socket
        self.create_udp = UdpCreateSocket(backends).create_udp_socket
        self.resolve = IpNameLookup(backends).resolve_addresses
        self.holds: list[Any] = []

    def keep(self, resource: Any) -> Any:
        """Have a resource dropped when the guest leaves, unless it is before."""
        self.holds.append(resource)
        return resource

    def drop(self, resource: Any) -> None:
        self.holds = [held for held in self.holds if held is not resource]
        resource.drop()

    def tcp(self, family: Any = "ipv4") -> TcpSocket:
        made = self.create_tcp(family)
        self.keep(made)
        return made

    def udp(self, family: Any = "ipv4", host: str | None = None, port: int = 0) -> UdpSocket:
        made = self.create_udp(family)
        self.keep(made)
        made.start_bind(self.network, at(host or LOOPBACK[family], port))
        made.finish_bind()
        return made

    def bound(self, family: Any = "ipv4", host: str | None = None, port: int = 0) -> TcpSocket:
        made = self.tcp(family)
        made.start_bind(self.network, at(host or LOOPBACK[family], port))
        made.finish_bind()
        return made

    def listener(self, family: Any = "ipv4") -> tuple[TcpSocket, Variant]:
        made = self.bound(family)
        made.start_listen()
        made.finish_listen()
        return made, made.local_address()

    async def connected(self, address: Variant) -> tuple[TcpSocket, Any, Any]:
        """A connection: the socket and its two streams."""
        made = self.tcp(address.case)
        made.start_connect(self.network, address)
        await block(made.subscribe())
        streams = made.finish_connect()
        for stream in streams:
            self.keep(stream)
        return made, *streams

    async def accepted(self, listener: TcpSocket) -> tuple[TcpSocket, Any, Any]:
        await block(listener.subscribe())
        accepted = listener.accept()
        for resource in accepted:
            self.keep(resource)
        return accepted

    async def pair(self, family: str = "ipv4") -> tuple[tuple[TcpSocket, Any, Any], tuple[TcpSocket, Any, Any]]:
        """Both ends of a connection with itself."""
        listener, address = self.listener(family)
        near = await self.connected(address)
        return near, await self.accepted(listener)

    async def leave(self) -> None:
        """Drop everything, and close what is behind it."""
        while self.holds:
            self.holds.pop().drop()
        await self.access.close()
        assert self.access.open_sockets == 0


async def block(pollable: Any) -> None:
    """`pollable.block`."""
    waiting = pollable.block()
    if waiting is not None:
        await waiting


async def read(stream: Any, length: int = 65536) -> bytes:
    result = stream.blocking_read(length)
    return result if isinstance(result, bytes) else await result


async def read_all(stream: Any) -> bytes:
    """Everything up to the end."""
    found = b""
    while True:
        try:
            found += await read(stream)
        except WitError as error:
            if error.value != Variant("closed"):
                raise
            return found


async def write(stream: Any, data: bytes) -> None:
    """All of the data, flushed."""
    for start in range(0, len(data), 4096):
        waiting = stream.blocking_write_and_flush(data[start : start + 4096])
        if waiting is not None:
            await waiting


def outside(family: str = "ipv4") -> socket.socket:
    """A listening socket of somebody else on this machine."""
    made = socket.socket(socket.AF_INET if family == "ipv4" else socket.AF_INET6)
    made.bind((LOOPBACK[family], 0))
    made.listen()
    made.setblocking(False)
    return made
