"""wasi:sockets: a guest may name the network, and may neither make a socket nor look up a name.

Components import these functions whatever they do: the standard libraries of their languages mention them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostInterface, HostResource
from qwasr_wasi.denied import denied
from qwasr_wasi.poll import READY, Pollable

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.ends import IoError

__all__ = [
    "KIND",
    "IncomingDatagramStream",
    "InstanceNetwork",
    "IpNameLookup",
    "Network",
    "NetworkHost",
    "OutgoingDatagramStream",
    "ResolveAddressStream",
    "Tcp",
    "TcpCreateSocket",
    "TcpSocket",
    "Udp",
    "UdpCreateSocket",
    "UdpSocket",
]

KIND: Final = "wasi:sockets/network"
"""The `kind` of an `IoError` that carries a network error code."""

_denied = partial(denied, "access-denied")


class _Denied(HostResource):
    """What the resources of sockets share: waiting for one is over at once, since there is nothing to wait for."""

    __slots__ = ()

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready."""
        return Pollable(READY)


class Network(HostResource):
    """wasi:sockets/network.network: a name for the network, which opens nothing."""

    __slots__ = ()


class ResolveAddressStream(_Denied):
    """wasi:sockets/ip-name-lookup.resolve-address-stream: addresses of a name; no guest has one."""

    __slots__ = ()

    resolve_next_address = _denied()


class TcpSocket(_Denied):
    """wasi:sockets/tcp.tcp-socket: no guest has one."""

    __slots__ = ()

    start_bind = _denied("network", "local_address")
    finish_bind = _denied()
    start_connect = _denied("network", "remote_address")
    finish_connect = _denied()
    start_listen = _denied()
    finish_listen = _denied()
    accept = _denied()
    local_address = _denied()
    remote_address = _denied()
    set_listen_backlog_size = _denied("value")
    keep_alive_enabled = _denied()
    set_keep_alive_enabled = _denied("value")
    keep_alive_idle_time = _denied()
    set_keep_alive_idle_time = _denied("value")
    keep_alive_interval = _denied()
    set_keep_alive_interval = _denied("value")
    keep_alive_count = _denied()
    set_keep_alive_count = _denied("value")
    hop_limit = _denied()
    set_hop_limit = _denied("value")
    receive_buffer_size = _denied()
    set_receive_buffer_size = _denied("value")
    send_buffer_size = _denied()
    set_send_buffer_size = _denied("value")
    shutdown = _denied("shutdown_type")

    def is_listening(self) -> bool:
        """Return false."""
        return False

    def address_family(self) -> str:
        """Return `ipv4`."""
        return "ipv4"


class IncomingDatagramStream(_Denied):
    """wasi:sockets/udp.incoming-datagram-stream: no guest has one."""

    __slots__ = ()

    receive = _denied("max_results")


class OutgoingDatagramStream(_Denied):
    """wasi:sockets/udp.outgoing-datagram-stream: no guest has one."""

    __slots__ = ()

    check_send = _denied()
    send = _denied("datagrams")


class UdpSocket(_Denied):
    """wasi:sockets/udp.udp-socket: no guest has one."""

    __slots__ = ()

    start_bind = _denied("network", "local_address")
    finish_bind = _denied()
    stream = _denied("remote_address")
    local_address = _denied()
    remote_address = _denied()
    unicast_hop_limit = _denied()
    set_unicast_hop_limit = _denied("value")
    receive_buffer_size = _denied()
    set_receive_buffer_size = _denied("value")
    send_buffer_size = _denied()
    set_send_buffer_size = _denied("value")

    def address_family(self) -> str:
        """Return `ipv4`."""
        return "ipv4"


class _SocketsHost(HostInterface):
    """What the interfaces of sockets share."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class NetworkHost(_SocketsHost, wit="wasi:sockets/network", resources=(Network,)):
    """wasi:sockets/network: networks, addresses, error codes."""

    def network_error_code(self, err: IoError) -> str | None:
        """Return the error code of a failed socket stream, nothing for another stream's error."""
        return err.code if err.kind == KIND else None


class InstanceNetwork(_SocketsHost, wit="wasi:sockets/instance-network"):
    """wasi:sockets/instance-network: the network that a guest is in."""

    def instance_network(self) -> Network:
        """Return a network on which everything is denied."""
        return Network()


class IpNameLookup(_SocketsHost, wit="wasi:sockets/ip-name-lookup", resources=(ResolveAddressStream,)):
    """wasi:sockets/ip-name-lookup: addresses of names."""

    resolve_addresses = _denied("network", "name")


class Tcp(_SocketsHost, wit="wasi:sockets/tcp", resources=(TcpSocket,)):
    """wasi:sockets/tcp: the resource `tcp-socket`."""


class TcpCreateSocket(_SocketsHost, wit="wasi:sockets/tcp-create-socket"):
    """wasi:sockets/tcp-create-socket: new TCP sockets."""

    create_tcp_socket = _denied("address_family")


class Udp(_SocketsHost, wit="wasi:sockets/udp", resources=(UdpSocket, IncomingDatagramStream, OutgoingDatagramStream)):
    """wasi:sockets/udp: the resources of UDP."""


class UdpCreateSocket(_SocketsHost, wit="wasi:sockets/udp-create-socket"):
    """wasi:sockets/udp-create-socket: new UDP sockets."""

    create_udp_socket = _denied("address_family")
