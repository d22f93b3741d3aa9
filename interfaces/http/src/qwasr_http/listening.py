"""Where a server listens: `host:port`, `unix:/path`, several of them, over TLS where there is a certificate."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from qwasr.addresses import SHARED, SocketFile, bind_unix, parse_host_port, parse_unix, serve_unix
from qwasr.errors import ConfigurationError, ServeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Address", "Listeners", "ServerCertificate", "parse_addresses"]

_VARIABLE: Final = "HTTP_ADDR"
_BACKLOG: Final = 1024
_HANDSHAKE_S: Final = 10.0  # how long a client may take until TLS stands
_GOODBYE_S: Final = 5.0  # how long a client may take to end TLS


@dataclass(frozen=True, slots=True)
class Address:
    """One place to listen at.

    Attributes:
        host: name or address; empty for a Unix socket.
        port: 0 takes a free one.
        path: of a Unix socket.
        tls: whether TLS was asked for; ``None`` when the certificate decides.
    """

    host: str
    port: int
    path: str = ""
    tls: bool | None = None

    def url(self, *, tls: bool) -> str:
        """Return the address as users know it."""
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if tls else 'http'}://{host}:{self.port}"


def parse_addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses of `HTTP_ADDR`.

    Raises:
        ConfigurationError: one of them is none, or there is none at all.
    """
    addresses = []
    for text in texts:
        kind, slashes, rest = text.partition("://")
        if path := parse_unix(text, _VARIABLE):
            addresses.append(Address("", 0, path))
        elif slashes and kind in ("http", "https"):
            addresses.append(Address(*parse_host_port(rest, _VARIABLE), tls=kind == "https"))
        else:
            addresses.append(Address(*parse_host_port(text, _VARIABLE)))
    if not addresses:
        message = "HTTP_ADDR is empty: expected host:port, for example 127.0.0.1:8080"
        raise ConfigurationError(message)
    return tuple(addresses)


class ServerCertificate:
    """The server's certificate and key, which can be read again while connections stand.

    Args:
        certificate: PEM file with the certificate and the chain behind it.
        key: PEM file with the private key; ``None`` when it is in the same file.
    """

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._current = self._read()
        self.context = self._read()
        # A handshake takes its certificate from here, so that reading it again is one assignment: a context that is in
        # use and whose key was replaced half-way would fail everyone.
        self.context.sni_callback = self._choose

    def read_again(self) -> None:
        """Use what the files hold now for new connections; blocking.

        Raises:
            ServeError: they hold no certificate with its key; what was there stays in use.
        """
        self._current = self._read()

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # An encrypted key is an error: without the function OpenSSL would ask the terminal.
            context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it is not valid"
            files = str(self._certificate) if self._key is None else f"{self._certificate} and {self._key}"
            message = f"no certificate with its key can be read from {files} (HTTP_TLS_CERT, HTTP_TLS_KEY): {reason}"
            raise ServeError(message) from None  # the cause might quote the key
        return context


class Listeners:
    """Everything that one server listens at.

    Args:
        addresses: where.
        certificate: the server's; ``None`` for no TLS.
        listening: where other processes listen at the same addresses: sockets of one whose place this one takes and
            of those that all accept from, and afterwards all that this one has.

    Attributes:
        urls: the addresses as users know them, with the ports that were taken.
        port: of the first address that has one, 0 without.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        certificate: ServerCertificate | None,
        *,
        listening: dict[str, socket.socket] | None = None,
    ) -> None:
        self._addresses = addresses
        self._certificate = certificate
        self._listening = listening
        self._servers: list[asyncio.Server] = []
        self._files: list[SocketFile] = []
        self.urls: tuple[str, ...] = ()
        self.port = next((address.port for address in addresses if not address.path), 0)

    async def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Listen everywhere, or nowhere.

        Raises:
            ServeError: one of the addresses cannot be listened on.
        """
        opened: list[Address] = []
        try:
            for position, address in enumerate(self._addresses):
                port = await self._open(position, address, protocol)
                if not address.path and not any(one.port for one in opened):
                    self.port = port
                opened.append(replace(address, port=port))
        except BaseException:
            self.close()
            self._remove_files()
            raise
        self.urls = tuple(address.url(tls=self._tls(address) is not None) for address in opened)

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for one in (self._listening or {}).values():
            one.close()
        if self._listening is None:  # else the supervisor does, when the last worker is told to stop
            self._remove_files()

    def _remove_files(self) -> None:
        for file in self._files:
            file.remove()
        self._files.clear()

    def _tls(self, address: Address) -> ssl.SSLContext | None:
        certificate = self._certificate
        if address.tls and certificate is None:
            message = f"{address.url(tls=True)} (HTTP_ADDR) needs a certificate: set HTTP_TLS_CERT and HTTP_TLS_KEY"
            raise ServeError(message)
        return None if certificate is None or address.tls is False or address.path else certificate.context

    async def _open(self, position: int, address: Address, protocol: Callable[[], asyncio.Protocol]) -> int:
        """Listen at one address and return its port."""
        tls = self._tls(address)
        # Each worker has a socket of its own at a port, which spreads connections best. What cannot be bound twice is
        # bound by the first worker, and all accept from its socket.
        is_shared = not address.port
        place = address.url(tls=False).removeprefix("http://")
        name = f"{SHARED if is_shared else ''}{position} {place} "
        create = partial(
            asyncio.get_running_loop().create_server,
            protocol,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
            ssl_shutdown_timeout=_GOODBYE_S if tls else None,
        )
        try:
            # asyncio closes what it gets, and these may be needed once more.
            taken_over = [one.dup() for key, one in (self._listening or {}).items() if key.startswith(name)]
            if taken_over:
                for one in taken_over:
                    self._servers.append(
                        await (serve_unix(protocol, one, _BACKLOG) if address.path else create(sock=one))
                    )
            elif address.path:
                self._servers.append(await self._open_unix(address.path, protocol))
            else:
                reuse_port = self._listening is not None and not is_shared
                self._servers.append(await create(host=address.host, port=address.port, reuse_port=reuse_port or None))
        except (OSError, OverflowError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            message = f"cannot listen on {place} ({_VARIABLE}): {reason}"
            raise ServeError(message) from error
        server = self._servers[-len(taken_over) or -1]
        if not taken_over:
            self._hand_over(name, server)
        port: int = 0 if address.path else server.sockets[0].getsockname()[1]
        return port

    def _hand_over(self, name: str, server: asyncio.Server) -> None:
        """Keep the sockets of a server where a process that comes after finds them: with their queues."""
        if self._listening is not None:
            for number, one in enumerate(server.sockets):
                self._listening[f"{name}{number}"] = socket.socket(fileno=os.dup(one.fileno()))

    async def _open_unix(self, path: str, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        listener, file = bind_unix(path)
        self._files.append(file)
        try:
            return await serve_unix(protocol, listener, _BACKLOG)
        except BaseException:
            listener.close()
            raise
