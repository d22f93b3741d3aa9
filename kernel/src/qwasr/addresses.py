"""Addresses to listen at: ``host:port`` and ``unix:/path``, for whatever server there is.

A Unix socket is a file, and belongs to whoever made it::

    listener, file = bind_unix("/run/app.sock")
    server = await serve_unix(make_protocol, listener, backlog=100)
    ...
    server.close()
    file.remove()
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHARED", "SocketFile", "bind_unix", "parse_host_port", "parse_unix", "serve_unix"]

SHARED: Final = "shared "  # how the name of a listening socket begins that all workers accept from; see `Server`
_UNIX: Final = "unix:"
_PROBE_S: Final = 0.2  # how long the one who listens may take to be noticed


def parse_unix(address: str, variable: str) -> str | None:
    """Return the path of ``unix:/path``, or ``None`` when the address is of another kind.

    Args:
        address: the text.
        variable: where it is from, for the message.

    Raises:
        ConfigurationError: there is no path in it.
    """
    if not address.startswith(_UNIX):
        return None
    path = address.removeprefix(_UNIX).removeprefix("//")
    if not path or "\0" in path:
        message = f"{variable}={address} does not fit: expected unix:/path/of/the/socket"
        raise ConfigurationError(message)
    return path


def parse_host_port(address: str, variable: str) -> tuple[str, int]:
    """Split ``host:port``; ``http://`` in front is accepted, IPv6 is in brackets.

    Args:
        address: the text.
        variable: where it is from, for the message.

    Raises:
        ConfigurationError: it is something else.
    """
    host, colon, port = address.removeprefix("http://").removesuffix("/").rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not host or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        message = (
            f"{variable}={address} does not fit: expected host:port, for example 127.0.0.1:8080 or [::1]:8080, "
            "or unix:/path"
        )
        raise ConfigurationError(message)
    return host, int(port)


class SocketFile:
    """The file of a Unix socket that this process made.

    Args:
        path: where it is.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._inode = os.lstat(path).st_ino

    def remove(self) -> None:
        """Remove the file, unless another server has put its own there. Idempotent."""
        with suppress(OSError):
            if os.lstat(self._path).st_ino == self._inode:
                Path(self._path).unlink()


def bind_unix(path: str) -> tuple[socket.socket, SocketFile]:
    """Return a socket bound to a path, and its file. One that no one listens at any more is replaced.

    Raises:
        OSError: someone listens there, something else is there, or the path cannot be used.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(path)
        return listener, SocketFile(path)
    except BaseException:
        listener.close()
        raise


async def serve_unix(protocol: Callable[[], asyncio.Protocol], listener: socket.socket, backlog: int) -> asyncio.Server:
    """Serve a bound Unix socket; closing the server leaves its file alone.

    Args:
        protocol: makes a protocol for each connection.
        listener: the socket, which the server closes.
        backlog: how many connections may wait to be accepted.
    """
    loop = asyncio.get_running_loop()
    # asyncio's own loops remove the file from 3.13 on, although another process may listen there; uvloop never does.
    keep: dict[str, Any] = (
        {"cleanup_socket": False} if sys.version_info >= (3, 13) and isinstance(loop, asyncio.SelectorEventLoop) else {}
    )
    return await loop.create_unix_server(protocol, sock=listener, backlog=backlog, **keep)


def _remove_stale(path: str) -> None:
    """Remove a socket that no one listens at any more; anything else there stays, and is an error when binding."""
    with suppress(OSError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_S)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()
