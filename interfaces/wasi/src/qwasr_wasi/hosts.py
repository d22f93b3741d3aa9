"""All interfaces of this package, for the plug-in and for embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_wasi import cli, clocks, filesystem, poll, randomness, sockets, streams

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
    sockets.NetworkHost,
    sockets.InstanceNetwork,
    sockets.IpNameLookup,
    sockets.Tcp,
    sockets.TcpCreateSocket,
    sockets.Udp,
    sockets.UdpCreateSocket,
)
"""In the order of their packages; the name of each is in its `wit`."""
