"""wasi:sockets/udp and udp-create-socket: datagrams."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostInterface
from qwasr.values import Variant, WitError
from qwasr_wasi.poll import READY, Pollable
from qwasr_wasi.sockets.codes import wit_error
from qwasr_wasi.sockets.datagrams import Association, IncomingDatagramStream, OutgoingDatagramStream, Senders
from qwasr_wasi.sockets.options import SocketOptions
from qwasr_wasi.sockets.wire_addresses import SocketAddress

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.protocol import Wasi
    from qwasr_wasi.sockets.access import CallSockets, SocketAccess
    from qwasr_wasi.sockets.endpoints import Endpoint
    from qwasr_wasi.sockets.network import Network
    from qwasr_wasi.sockets.wire_addresses import Family

__all__ = ["Udp", "UdpCreateSocket", "UdpSocket"]

_UNSPECIFIED: Final = bytes(28)  # a `sockaddr` of the family AF_UNSPEC, which is 0, as long as the longest


class UdpSocket(SocketOptions):
    """wasi:sockets/udp.udp-socket."""

    __slots__ = ("_access", "_association", "_bound", "_failure", "_mine", "_senders")

    def __init__(self, endpoint: Endpoint, family: Family, access: SocketAccess, mine: CallSockets) -> None:
        super().__init__(endpoint, family)
        self._access = access
        self._mine = mine
        self._bound: bool | None = False  # None while binding is in progress
        self._failure: WitError | None = None
        self._senders = Senders(access, mine, listens=False)
        self._association: Association | None = None

    def start_bind(self, network: Network, local_address: Variant) -> None:
        """Bind to a local address; port 0 is one of the system's choice.

        Raises:
            WitError: `invalid-argument`, `invalid-state`, or `access-denied`: no rule lets a guest listen there, and it
                is no address to send from either.
        """
        if self._bound is not False:
            raise WitError("invalid-state" if self._bound else "concurrency-conflict")
        address = SocketAddress.from_guest(local_address, self._family)
        rules = self._access.rules
        listens = rules.may_listen("udp", address.ip, address.port)
        if not listens and (address.port or not rules.may_call_out("udp")):
            raise WitError("access-denied")
        self._senders = Senders(self._access, self._mine, listens=listens)
        self._bound = None
        try:
            self._endpoint.socket.bind(address.for_system())
        except OSError as error:
            self._failure = wit_error(error)

    def finish_bind(self) -> None:
        """Say how binding went: `address-in-use`, `address-not-bindable`, `access-denied`."""
        if self._bound is not None:
            raise WitError("not-in-progress")
        failure, self._failure = self._failure, None
        self._bound = failure is None
        if failure is not None:
            raise failure

    def stream(self, remote_address: Variant | None) -> tuple[IncomingDatagramStream, OutgoingDatagramStream]:
        """Return streams for datagrams to and from one peer, or all; those of an earlier call end.

        Raises:
            WitError: `invalid-argument`, `invalid-state`: not bound; `access-denied`: no rule allows the peer;
                `remote-unreachable`.
        """
        if not self._bound:
            raise WitError("invalid-state" if self._bound is False else "concurrency-conflict")
        peer: SocketAddress | None = None
        try:
            if remote_address is not None:
                peer = SocketAddress.from_guest(remote_address, self._family).as_remote()
                if not self._senders.may_send(peer):
                    raise WitError("access-denied")
                self._endpoint.socket.connect(peer.for_system())
                peer = SocketAddress.from_system(self._endpoint.socket.getpeername())
            elif self._association is not None and self._association.peer is not None:
                _disconnect(self._endpoint.socket)
        except OSError as error:
            raise wit_error(error, address_not_bindable="address-in-use") from None
        if self._association is not None:
            self._association.current = False
        self._association = Association(self._endpoint, self._family, self._senders, peer)
        return IncomingDatagramStream(self._association), OutgoingDatagramStream(self._association)

    def local_address(self) -> Variant:
        """Return the address that it is bound to."""
        if not self._bound:
            raise WitError("invalid-state" if self._bound is False else "concurrency-conflict")
        try:
            return SocketAddress.from_system(self._endpoint.socket.getsockname()).for_guest()
        except OSError as error:
            raise wit_error(error) from None

    def remote_address(self) -> Variant:
        """Return the only peer that it speaks with."""
        if self._association is None or self._association.peer is None:
            raise WitError("invalid-state")
        return self._association.peer.for_guest()

    def unicast_hop_limit(self) -> int:
        """Return how many routers a datagram may pass."""
        return self._hop_limit()

    def set_unicast_hop_limit(self, value: int) -> None:
        """Set it, 1 to 255."""
        self._set_hop_limit(value)

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready: what takes time are the streams' affairs."""
        return Pollable(READY)

    def drop(self) -> None:
        """Let go of the socket; its streams keep it."""
        self._endpoint.let_go()


class Udp(HostInterface, wit="wasi:sockets/udp", resources=(UdpSocket, IncomingDatagramStream, OutgoingDatagramStream)):
    """wasi:sockets/udp: the resources of UDP."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class UdpCreateSocket(HostInterface, wit="wasi:sockets/udp-create-socket"):
    """wasi:sockets/udp-create-socket: new UDP sockets."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._access = backends.default.sockets

    def create_udp_socket(self, address_family: Family) -> UdpSocket:
        """Return a new socket.

        Raises:
            WitError: `access-denied`: no rule has a use for it; `new-socket-limit`; `not-supported`.
        """
        mine = self._access.of_call()
        return UdpSocket(self._access.create(mine, "udp", address_family), address_family, self._access, mine)


def _disconnect(udp: socket.socket) -> None:
    """Let a connected UDP socket hear and send to all again, which Python's own `connect` cannot say.

    Raises:
        OSError: the system refuses, or another process took the port in between.
    """
    import ctypes

    local = udp.getsockname()
    connect = ctypes.CDLL(None, use_errno=True).connect
    # Some systems answer EAFNOSUPPORT after they have done it.
    if connect(udp.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)) and ctypes.get_errno() != errno.EAFNOSUPPORT:
        raise OSError(ctypes.get_errno(), "connect")
    if udp.getsockname()[1] != local[1]:  # Linux gives a port that it chose itself back
        udp.bind(local)
