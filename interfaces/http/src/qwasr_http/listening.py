"""Where a server listens: `host:port`, `unix:/path`, several of them, over TLS where there is a certificate."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr.errors import ConfigurationError, ServeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Address", "Listeners", "ServerCertificate", "parse_address", "parse_addresses"]

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
        if text.startswith("unix:"):
            path = text.removeprefix("unix:").removeprefix("//")
            if not path or "\0" in path:
                message = f"HTTP_ADDR={text} does not fit: expected unix:/path/of/the/socket"
                raise ConfigurationError(message)
            addresses.append(Address("", 0, path))
        elif slashes and kind in ("http", "https"):
            addresses.append(Address(*parse_address(rest), tls=kind == "https"))
        else:
            addresses.append(Address(*parse_address(text)))
    if not addresses:
        message = "HTTP_ADDR is empty: expected host:port, for example 127.0.0.1:8080"
        raise ConfigurationError(message)
    return tuple(addresses)


def parse_address(address: str) -> tuple[str, int]:
    """Split ``host:port``; ``http://`` in front is accepted, IPv6 is in brackets.

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
            f"HTTP_ADDR={address} does not fit: expected host:port, for example 127.0.0.1:8080 or [::1]:8080, "
            "or unix:/path"
        )
        raise ConfigurationError(message)
    return host, int(port)


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
        listening: where other processes listen at the same ports: sockets of one whose place this one takes, and
            afterwards those of this one.

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
        self._reuse_port = listening is not None
        self._listening = listening
        self._servers: list[asyncio.Server] = []
        self._sockets: list[tuple[str, int]] = []  # paths of Unix sockets, with the inode that tells ours
        self.urls: tuple[str, ...] = ()
        self.port = next((address.port for address in addresses if not address.path), 0)

    async def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Listen everywhere, or nowhere.

        Raises:
            ServeError: one of the addresses cannot be listened on.
        """
        opened: list[Address] = []
        try:
            for address in self._addresses:
                port = await self._open(address, protocol)
                if not address.path and not any(one.port for one in opened):
                    self.port = port
                opened.append(replace(address, port=port))
        except BaseException:
            self.close()
            raise
        self.urls = tuple(address.url(tls=self._tls(address) is not None) for address in opened)

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for one in (self._listening or {}).values():
            one.close()
        for path, inode in self._sockets:
            with suppress(OSError):
                if os.lstat(path).st_ino == inode:  # else another server has taken the path over
                    Path(path).unlink()
        self._sockets.clear()

    def _tls(self, address: Address) -> ssl.SSLContext | None:
        certificate = self._certificate
        if address.tls and certificate is None:
            message = f"{address.url(tls=True)} (HTTP_ADDR) needs a certificate: set HTTP_TLS_CERT and HTTP_TLS_KEY"
            raise ServeError(message)
        return None if certificate is None or address.tls is False or address.path else certificate.context

    async def _open(self, address: Address, protocol: Callable[[], asyncio.Protocol]) -> int:
        """Listen at one address and return its port."""
        tls = self._tls(address)
        try:
            if address.path:
                self._servers.append(await self._open_unix(address.path, protocol))
                return 0
            create = partial(
                asyncio.get_running_loop().create_server,
                protocol,
                backlog=_BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
                ssl_shutdown_timeout=_GOODBYE_S if tls else None,
            )
            taken_over = self._taken_over(address)
            for one in taken_over:
                self._servers.append(await create(sock=one))
            if taken_over:
                return address.port
            self._refuse_free_port(address)
            server = await create(host=address.host, port=address.port, reuse_port=self._reuse_port or None)
            self._hand_over(address, server)
        except (OSError, OverflowError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            place = address.url(tls=False).removeprefix("http://")
            message = f"cannot listen on {place} (HTTP_ADDR): {reason}"
            raise ServeError(message) from error
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _taken_over(self, address: Address) -> list[socket.socket]:
        """Return sockets of this address that another process has left; asyncio closes what it gets, so copies."""
        prefix = f"{address.host}:{address.port} "
        return [one.dup() for name, one in (self._listening or {}).items() if name.startswith(prefix)]

    def _hand_over(self, address: Address, server: asyncio.Server) -> None:
        """Keep the sockets of a server where a process that comes after finds them: with their queues."""
        if self._listening is not None:
            for number, one in enumerate(server.sockets):
                copy = socket.socket(fileno=os.dup(one.fileno()))
                self._listening[f"{address.host}:{address.port} {number}"] = copy

    def _refuse_free_port(self, address: Address) -> None:
        if self._reuse_port and not address.port:
            message = f"{address.host}:0 (HTTP_ADDR) would be another port in each worker; name one"
            raise ServeError(message)

    async def _open_unix(self, path: str, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        if self._reuse_port:
            message = f"unix:{path} (HTTP_ADDR) belongs to one process: use one worker and no ADMIN_ADDR, or host:port"
            raise ServeError(message)
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(path)
            self._sockets.append((path, os.lstat(path).st_ino))
            return await asyncio.get_running_loop().create_unix_server(protocol, sock=listener, backlog=_BACKLOG)
        except BaseException:
            listener.close()
            raise


def _remove_stale(path: str) -> None:
    """Remove a socket that no one listens at any more; anything else there stays, and is an error when binding."""
    with suppress(OSError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()
