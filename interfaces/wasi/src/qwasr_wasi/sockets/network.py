"""wasi:sockets/network and instance-network: the network that a guest is in, and the codes of what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface, HostResource
from qwasr_wasi.sockets.codes import KIND

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.ends import IoError

__all__ = ["InstanceNetwork", "Network", "NetworkHost"]


class Network(HostResource):
    """wasi:sockets/network.network: a name for the one network there is; the rules decide what it is good for."""

    __slots__ = ()


class NetworkHost(HostInterface, wit="wasi:sockets/network", resources=(Network,)):
    """wasi:sockets/network: networks, addresses, error codes."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def network_error_code(self, err: IoError) -> str | None:
        """Return the error code of a failed socket stream, nothing for another stream's error."""
        return err.code if err.kind == KIND else None


class InstanceNetwork(HostInterface, wit="wasi:sockets/instance-network"):
    """wasi:sockets/instance-network: the network that a guest is in."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def instance_network(self) -> Network:
        """Return the network."""
        return Network()
