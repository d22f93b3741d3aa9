"""wasi:sockets/tcp and tcp-create-socket: connections, and waiting for them.

The states are those of the WIT. The system binds and listens at once; `finish-…` only tells what came of it. Whoever
asks for something else while such an operation is in progress is told `concurrency-conflict`, in any other wrong state
`invalid-state`.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final, Literal

from qwasr.hosting import HostInterface
from qwasr.values import Variant, WitError
from qwasr_wasi.poll import READY, Pollable, Unwatch, Wake
from qwasr_wasi.sockets.codes import wit_error
from qwasr_wasi.sockets.options import TcpOptions
from qwasr_wasi.sockets.tcp_streams import TcpSink, TcpSource
from qwasr_wasi.sockets.wire_addresses import SocketAddress
from qwasr_wasi.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.protocol import Wasi
    from qwasr_wasi.sockets.access import CallSockets, SocketAccess
    from qwasr_wasi.sockets.endpoints import Endpoint
    from qwasr_wasi.sockets.network import Network
    from qwasr_wasi.sockets.wire_addresses import Family

__all__ = ["Tcp", "TcpCreateSocket", "TcpSocket"]

State = Literal["unbound", "binding", "bound", "starting", "listening", "connecting", "connected", "closed"]

_IN_PROGRESS: Final = frozenset({"binding", "starting", "connecting"})
_DEFAULT_BACKLOG: Final = 128
_MAX_BACKLOG: Final = 4096
_CONNECTS_LATER: Final = frozenset({errno.EINPROGRESS, errno.EINTR})
# What `accept` answers for a connection that broke before it was taken; the listener is all right.
_BROKEN_BEFORE: Final = frozenset({"connection-reset", "remote-unreachable", "timeout", "unknown", "not-supported"})


class TcpSocket(TcpOptions):
    """wasi:sockets/tcp.tcp-socket."""

    __slots__ = ("_access", "_backlog", "_failure", "_listens", "_mine", "_remote", "_sink", "_source", "_state")

    def __init__(self, endpoint: Endpoint, family: Family, access: SocketAccess, mine: CallSockets) -> None:
        super().__init__(endpoint, family)
        self._access = access
        self._mine = mine
        self._state: State = "unbound"
        self._failure: WitError | None = None  # of the operation in progress
        self._backlog = _DEFAULT_BACKLOG
        self._listens = False  # whether a rule lets strangers connect to the local address
        self._remote: SocketAddress | None = None
        self._source: TcpSource | None = None
        self._sink: TcpSink | None = None

    # ------------------------------------------------------------------ bind

    def start_bind(self, network: Network, local_address: Variant) -> None:
        """Bind to a local address; port 0 is one of the system's choice.

        Raises:
            WitError: `invalid-argument`, `invalid-state`, or `access-denied`: no rule lets a guest listen there, and it
                is no address to connect from either.
        """
        self._expect("unbound")
        address = SocketAddress.from_guest(local_address, self._family)
        rules = self._access.rules
        listens = rules.may_listen("tcp", address.ip, address.port)
        if not listens and (address.port or not rules.may_call_out("tcp")):
            raise WitError("access-denied")
        self._listens = listens
        self._state = "binding"
        try:
            self._endpoint.socket.bind(address.for_system())
        except OSError as error:
            self._failure = wit_error(error)

    def finish_bind(self) -> None:
        """Say how binding went: `address-in-use`, `address-not-bindable`, `access-denied`."""
        self._finish("binding", failed="unbound")
        self._state = "bound"

    # ------------------------------------------------------------------ connect

    def start_connect(self, network: Network, remote_address: Variant) -> None:
        """Begin to connect.

        Raises:
            WitError: `invalid-argument`, `invalid-state`, or `access-denied`: no rule allows it. The socket is then of
                no further use.
        """
        self._expect("unbound", "bound")
        self._state = "closed"
        address = SocketAddress.from_guest(remote_address, self._family).as_remote()
        names = self._mine.names_of(address.ip)
        if not self._access.rules.may_connect("tcp", address.ip, address.port, names):
            raise WitError("access-denied")
        self._state = "connecting"
        self._remote = address
        try:
            code = self._endpoint.socket.connect_ex(address.for_system())
        except OSError as error:  # an address that Python's own check refuses
            code = error.errno or errno.EINVAL
        if code and code not in _CONNECTS_LATER:
            self._failure = _connect_error(code)

    def finish_connect(self) -> tuple[InputStream, OutputStream]:
        """Return the connection's streams, `would-block` as long as there is none."""
        if self._state == "connecting" and self._failure is None:
            if not self._endpoint.writable():
                raise WitError("would-block")
            code = self._endpoint.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._failure = _connect_error(code)
        self._finish("connecting", failed="closed")
        return self._connected()

    def _connected(self) -> tuple[InputStream, OutputStream]:
        self._state = "connected"
        self._source = TcpSource(self._endpoint.hold())
        self._sink = TcpSink(self._endpoint.hold(), self._access)
        return InputStream(self._source), OutputStream(self._sink)

    # ------------------------------------------------------------------ listen

    def start_listen(self) -> None:
        """Begin to wait for connections.

        Raises:
            WitError: `invalid-state`, or `access-denied`: the address is only good to connect from.
        """
        self._expect("bound")
        if not self._listens:
            self._state = "closed"
            raise WitError("access-denied")
        self._state = "starting"
        try:
            self._endpoint.socket.listen(self._backlog)
        except OSError as error:
            self._failure = wit_error(error)

    def finish_listen(self) -> None:
        """Say how that went: `address-in-use`."""
        self._finish("starting", failed="closed")
        self._state = "listening"

    def accept(self) -> tuple[TcpSocket, InputStream, OutputStream]:
        """Return the next connection, `would-block` when none waits, `new-socket-limit` when there are enough."""
        self._expect("listening")
        remote: object = None

        def accept() -> socket.socket:
            nonlocal remote
            made, remote = self._endpoint.socket.accept()
            return made

        try:
            endpoint = self._access.adopt(self._mine, accept)
        except WitError as error:
            if error.value in _BROKEN_BEFORE:
                raise WitError("connection-aborted") from None
            raise
        accepted = TcpSocket(endpoint, self._family, self._access, self._mine)
        accepted._remote = SocketAddress.from_system(remote)
        return accepted, *accepted._connected()

    def is_listening(self) -> bool:
        """Say whether it waits for connections."""
        return self._state == "listening"

    def set_listen_backlog_size(self, value: int) -> None:
        """Say how many connections may wait, 4096 at most."""
        if not value:
            raise WitError("invalid-argument")
        if self._state in ("connecting", "connected", "closed"):
            raise WitError("invalid-state")
        self._backlog = min(value, _MAX_BACKLOG)
        if self._state == "listening":
            try:
                self._endpoint.socket.listen(self._backlog)
            except OSError as error:
                raise wit_error(error) from None

    # ------------------------------------------------------------------ the rest

    def local_address(self) -> Variant:
        """Return the address that it is bound to."""
        if self._state in ("unbound", "closed"):
            raise WitError("invalid-state")
        if self._state == "binding":
            raise WitError("concurrency-conflict")
        try:
            return SocketAddress.from_system(self._endpoint.socket.getsockname()).for_guest()
        except OSError as error:
            raise wit_error(error) from None

    def remote_address(self) -> Variant:
        """Return the address that it is connected to."""
        self._expect("connected")
        if self._remote is None:
            raise WitError("invalid-state")
        return self._remote.for_guest()

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when the operation in progress is over, or a connection can be accepted."""
        return Pollable(self)

    def shutdown(self, shutdown_type: Literal["receive", "send", "both"]) -> None:
        """End one direction or both: what has arrived is forgotten, what was written still goes out."""
        self._expect("connected")
        if self._source is not None and shutdown_type != "send":
            self._source.shut()
        if self._sink is not None and shutdown_type != "receive":
            self._sink.shut()

    def drop(self) -> None:
        """Let go of the socket; its streams keep the connection."""
        self._state = "closed"
        self._endpoint.let_go()

    def ready(self) -> bool:
        """Say whether nothing is to be waited for (the host's; a guest has `subscribe`)."""
        if self._state == "connecting":
            return self._failure is not None or self._endpoint.writable()
        return self._state != "listening" or self._endpoint.readable()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready` (the host's; a guest has `subscribe`)."""
        if self._state == "connecting" and self._failure is None:
            return self._endpoint.watch_writable(wake)
        if self._state == "listening":
            return self._endpoint.watch_readable(wake)
        return READY.watch(wake)

    def _expect(self, *states: State) -> None:
        if self._state not in states:
            raise WitError("concurrency-conflict" if self._state in _IN_PROGRESS else "invalid-state")

    def _finish(self, operation: State, *, failed: State) -> None:
        if self._state != operation:
            raise WitError("not-in-progress")
        failure, self._failure = self._failure, None
        if failure is not None:
            self._state = failed
            raise failure


class Tcp(HostInterface, wit="wasi:sockets/tcp", resources=(TcpSocket,)):
    """wasi:sockets/tcp: the resource `tcp-socket`."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class TcpCreateSocket(HostInterface, wit="wasi:sockets/tcp-create-socket"):
    """wasi:sockets/tcp-create-socket: new TCP sockets."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._access = backends.default.sockets

    def create_tcp_socket(self, address_family: Family) -> TcpSocket:
        """Return a new socket.

        Raises:
            WitError: `access-denied`: no rule has a use for it; `new-socket-limit`; `not-supported`.
        """
        mine = self._access.of_call()
        return TcpSocket(self._access.create(mine, "tcp", address_family), address_family, self._access, mine)


def _connect_error(code: int) -> WitError:
    # There was no local port left: the WIT calls that an address in use.
    return wit_error(OSError(code, os.strerror(code)), address_not_bindable="address-in-use")
