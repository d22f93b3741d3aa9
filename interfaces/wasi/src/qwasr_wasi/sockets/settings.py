"""The settings of sockets: nothing is allowed, until a variable says so."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwasr.errors import OptionError
from qwasr.options import ConnectOptions, env

if TYPE_CHECKING:
    from qwasr_wasi.sockets.access import SocketAccess

__all__ = ["SocketSettings", "open_files_limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings(ConnectOptions):
    """What guests may do with sockets, and how many they may have.

    Args:
        sockets_allow: rules, see `qwasr_wasi.sockets.rules`.
        sockets_private_networks: networks (CIDR) that a looked-up name may lead to.
        sockets_max: how many sockets all guests have at once; half of the process's open files at most.
        sockets_max_per_call: how many sockets and look-ups of names one call of a guest has at once.
        sockets_resolve_timeout_s: how long one look-up may take, in seconds.
    """

    sockets_allow: tuple[str, ...] = env(
        "QWASR_SOCKETS_ALLOW",
        default=(),
        help="what guests may do with sockets: connect:HOST:PORT, listen:[ADDRESS:]PORT, resolve:NAME, comma separated",
    )
    sockets_private_networks: tuple[str, ...] = env(
        "QWASR_SOCKETS_PRIVATE_NETWORKS",
        default=(),
        help="private networks that the names of connect rules may lead to: 10.0.0.0/8, comma separated",
    )
    sockets_max: int = env(
        "QWASR_SOCKETS_MAX",
        default=1024,
        minimum=1,
        maximum=1_000_000,
        help="how many sockets all guests together have at once",
    )
    sockets_max_per_call: int = env(
        "QWASR_SOCKETS_MAX_PER_CALL",
        default=64,
        minimum=1,
        maximum=1_000_000,
        help="how many sockets and look-ups of names one call of a guest has at once",
    )
    sockets_resolve_timeout_s: float = env(
        "QWASR_SOCKETS_RESOLVE_TIMEOUT_S",
        default=10.0,
        minimum=0.001,
        maximum=86_400,
        help="how long the look-up of a name may take, seconds",
    )

    def __post_init__(self) -> None:
        """Check the rules."""
        super(SocketSettings, self).__post_init__()
        if not self.sockets_allow and not self.sockets_private_networks:
            return
        from qwasr_wasi.sockets.rules import SocketRules

        try:
            SocketRules(self.sockets_allow, self.sockets_private_networks)
        except ValueError as error:
            message = f"QWASR_SOCKETS_ALLOW or QWASR_SOCKETS_PRIVATE_NETWORKS does not fit: {error}"
            raise OptionError(message) from None

    def socket_access(self) -> SocketAccess:
        """Return the network as these settings let guests have it."""
        from qwasr_wasi.sockets.access import SocketAccess
        from qwasr_wasi.sockets.rules import SocketRules

        return SocketAccess(
            SocketRules(self.sockets_allow, self.sockets_private_networks),
            max_sockets=min(self.sockets_max, open_files_limit() // 2),  # the other half is the runtime's own
            max_call_sockets=self.sockets_max_per_call,
            resolve_timeout_s=self.sockets_resolve_timeout_s,
        )


def open_files_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
