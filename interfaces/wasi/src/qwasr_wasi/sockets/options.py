"""The options of sockets: how a WIT number becomes one of the operating system's and back.

As the WIT has it, 0 is an `invalid-argument`, and any other number is taken, if need be as the nearest one there is.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

from qwasr.hosting import HostResource
from qwasr.values import WitError
from qwasr_wasi.sockets.codes import wit_error

if TYPE_CHECKING:
    from qwasr_wasi.sockets.endpoints import Endpoint
    from qwasr_wasi.sockets.wire_addresses import Family

__all__ = ["SocketOptions", "TcpOptions"]

_NS: Final = 1_000_000_000
_MAX_KEEP_ALIVE_S: Final = 32_767  # the most that Linux takes
_MAX_KEEP_ALIVE_COUNT: Final = 127
_MAX_BUFFER_BYTES: Final = 2**30 - 1  # the system's own limit is far below and cuts in silence
_IDLE: Final[int] = getattr(socket, "TCP_KEEPIDLE", 0x10)  # macOS has it by another name
_LINUX: Final = sys.platform == "linux"


class SocketOptions(HostResource):
    """What TCP and UDP sockets share.

    Args:
        endpoint: the socket.
        family: of its addresses.
    """

    __slots__ = ("_endpoint", "_family")

    def __init__(self, endpoint: Endpoint, family: Family) -> None:
        self._endpoint = endpoint
        self._family: Family = family

    def address_family(self) -> Family:
        """Return `ipv4` or `ipv6`."""
        return self._family

    def receive_buffer_size(self) -> int:
        """Return how much the system keeps of what has arrived, in bytes."""
        return self._buffer(socket.SO_RCVBUF)

    def set_receive_buffer_size(self, value: int) -> None:
        """Ask for another size, in bytes; the system may round it."""
        self._set(socket.SOL_SOCKET, socket.SO_RCVBUF, value, _MAX_BUFFER_BYTES)

    def send_buffer_size(self) -> int:
        """Return how much the system keeps of what is to be sent, in bytes."""
        return self._buffer(socket.SO_SNDBUF)

    def set_send_buffer_size(self, value: int) -> None:
        """Ask for another size, in bytes; the system may round it."""
        self._set(socket.SOL_SOCKET, socket.SO_SNDBUF, value, _MAX_BUFFER_BYTES)

    def _buffer(self, option: int) -> int:
        size = self._get(socket.SOL_SOCKET, option)
        return size // 2 if _LINUX else size  # Linux doubles what it is given, for its own bookkeeping

    def _hop_limit(self) -> int:
        return self._get(*self._hops())

    def _set_hop_limit(self, value: int) -> None:
        self._set(*self._hops(), value, 255)

    def _hops(self) -> tuple[int, int]:
        if self._family == "ipv4":
            return socket.IPPROTO_IP, socket.IP_TTL
        return socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS

    def _get(self, level: int, option: int) -> int:
        try:
            return self._endpoint.socket.getsockopt(level, option)
        except OSError as error:
            raise wit_error(error) from None

    def _set(self, level: int, option: int, value: int, most: int) -> None:
        if not value:
            raise WitError("invalid-argument")
        try:
            self._endpoint.socket.setsockopt(level, option, min(value, most))
        except OSError as error:
            raise wit_error(error) from None


class TcpOptions(SocketOptions):
    """What only TCP sockets have."""

    __slots__ = ()

    def keep_alive_enabled(self) -> bool:
        """Say whether a silent connection is tested now and then."""
        return bool(self._get(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def set_keep_alive_enabled(self, value: bool) -> None:
        """Turn those tests on or off."""
        try:
            self._endpoint.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, value)
        except OSError as error:
            raise wit_error(error) from None

    def keep_alive_idle_time(self) -> int:
        """Return how long a connection is silent before the first test, in nanoseconds."""
        return self._get(socket.IPPROTO_TCP, _IDLE) * _NS

    def set_keep_alive_idle_time(self, value: int) -> None:
        """Set it, rounded up to whole seconds."""
        self._set(socket.IPPROTO_TCP, _IDLE, -(-value // _NS), _MAX_KEEP_ALIVE_S)

    def keep_alive_interval(self) -> int:
        """Return the time between two tests, in nanoseconds."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * _NS

    def set_keep_alive_interval(self, value: int) -> None:
        """Set it, rounded up to whole seconds."""
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, -(-value // _NS), _MAX_KEEP_ALIVE_S)

    def keep_alive_count(self) -> int:
        """Return after how many tests without an answer the connection counts as lost."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)

    def set_keep_alive_count(self, value: int) -> None:
        """Set it, 127 at most."""
        self._set(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, value, _MAX_KEEP_ALIVE_COUNT)

    def hop_limit(self) -> int:
        """Return how many routers a packet may pass."""
        return self._hop_limit()

    def set_hop_limit(self, value: int) -> None:
        """Set it, 1 to 255."""
        self._set_hop_limit(value)
