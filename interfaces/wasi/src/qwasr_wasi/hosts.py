"""All interfaces of this package, for the plug-in and for embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_wasi import cli, clocks, filesystem, poll, randomness, streams
from qwasr_wasi.sockets import name_lookup, network, tcp, udp

if TYPE_CHECKING:
    from qwasr.hosting import HostInterface

__all__ = ["HOSTS"]

HOSTS: Final[tuple[type[HostInterface], ...]] = (
    streams.Error,
    poll.Poll,
    streams.Streams,
    clocks.WallClock,
    clocks.MonotonicClock,
    randomness.Random,
    randomness.Insecure,
    randomness.InsecureSeed,
    cli.Environment,
    cli.Exit,
    cli.Stdin,
    cli.Stdout,
    cli.Stderr,
    cli.TerminalInputHost,
    cli.TerminalOutputHost,
    cli.TerminalStdin,
    cli.TerminalStdout,
    cli.TerminalStderr,
    filesystem.FilesystemTypes,
    filesystem.Preopens,
    network.NetworkHost,
    network.InstanceNetwork,
    name_lookup.IpNameLookup,
    tcp.Tcp,
    tcp.TcpCreateSocket,
    udp.Udp,
    udp.UdpCreateSocket,
)
"""In the order of their packages; the name of each is in its `wit`."""
