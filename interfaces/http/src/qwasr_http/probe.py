"""Whether a server could listen, for `qwasr doctor`: nothing is served, and nobody can connect meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr.errors import ServeError
from qwasr.probing import try_to_bind
from qwasr_http.listening import ServerCertificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_http.listening import Address

__all__ = ["probe"]

_ANSWER_S: Final = 0.2


async def probe(addresses: Sequence[Address], certificate: Path | None, key: Path | None, *, shared: bool) -> None:
    """Try every address, and read the certificate.

    Args:
        addresses: where a server is to listen.
        certificate: its certificate's file, if any.
        key: its key's file, if that is another one.
        shared: whether several processes are to listen there.

    Raises:
        ServeError: it could not listen; the message says why.
    """
    if certificate is not None:
        await asyncio.to_thread(ServerCertificate, certificate, key)
    for address in addresses:
        if address.path:
            await asyncio.to_thread(_probe_path, address.path)
            continue
        if address.tls and certificate is None:
            message = f"{address.url(tls=True)} (HTTP_ADDR) needs a certificate: set HTTP_TLS_CERT and HTTP_TLS_KEY"
            raise ServeError(message)
        await try_to_bind(address.host, address.port, "HTTP_ADDR", shared=shared)


def _probe_path(path: str) -> None:
    """Find out whether a Unix socket could be made; one that nobody listens at any more would be replaced."""
    folder = Path(path).parent
    reason = ""
    if not folder.is_dir():
        reason = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = f"no permission to write into {folder}"
    elif _is_taken(path):
        reason = "Address already in use"
    if reason:
        message = f"cannot listen on unix:{path} (HTTP_ADDR): {reason}"
        raise ServeError(message)


def _is_taken(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return True
    except FileNotFoundError:
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_ANSWER_S)
        client.connect(path)
        return True
    return False
