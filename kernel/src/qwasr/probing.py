"""Whether an address could be listened on, found out without listening."""

from __future__ import annotations

import asyncio
import socket

from qwasr.errors import ServeError

__all__ = ["try_to_bind"]


async def try_to_bind(host: str, port: int, variable: str, *, shared: bool = False) -> None:
    """Take an address and let go of it at once; nobody can connect meanwhile.

    Args:
        host: a name or an address.
        port: 0 takes a free one.
        variable: what the address comes from, for the error.
        shared: whether several processes are to listen there.

    Raises:
        ServeError: it cannot be had; the message says why.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in dict.fromkeys(found):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if shared:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                probe.bind(address)
    except (OSError, OverflowError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"cannot listen on {host}:{port} ({variable}): {reason}"
        raise ServeError(message) from error
