"""Registers the interface `wasi`, its backend `system` and the fixed machine that tests use instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.hooks import Fake, Interface, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend
    from qwasr.testing.clock import Clock
    from qwasr_wasi.fake import FixedSystem

KERNEL_API: Final = 1

_WIT: Final = (
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
    "wasi:sockets/network",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
)


def _hosts() -> Sequence[type[HostInterface]]:
    from qwasr_wasi.hosts import HOSTS

    return HOSTS


def _fixed_system(clock: Clock) -> FixedSystem:
    from qwasr_wasi.fake import FixedSystem

    return FixedSystem(clock)


@hookimpl
def qwasr_register_interfaces() -> list[Interface]:
    """Register the interface `wasi`."""
    return [
        Interface(
            name="wasi",
            wit=_WIT,
            hosts=_hosts,
            default="system",
            stores=False,
            help="time, chance, environment, standard streams, files, sockets",
        )
    ]


@hookimpl
def qwasr_register_backends() -> list[type[Backend]]:
    """Register the backend `system`."""
    from qwasr_wasi.system import System

    return [System]


@hookimpl
def qwasr_register_fakes() -> list[Fake]:
    """Register the fixed machine."""
    return [Fake(interface="wasi", make=_fixed_system)]
