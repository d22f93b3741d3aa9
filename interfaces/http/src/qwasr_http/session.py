"""The aiohttp side of outgoing requests: the session, its resolver, and a response as a guest's stream wants it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.payload import AsyncIterablePayload
from yarl import URL

from qwasr_http.client_errors import AddressProhibited, DnsTimeout, error_code
from qwasr_http.limits import MAX_FIELDS, MAX_HEADER_BYTES
from qwasr_wasi.resolving import GuestResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwasr.values import Variant
    from qwasr_http.destinations import Destination, Destinations
    from qwasr_http.protocol import Upload
    from qwasr_http.sources import Payload

__all__ = [
    "AiohttpResponse",
    "CheckingResolver",
    "SystemResolver",
    "UploadPayload",
    "headers_of",
    "make_session",
    "target_of",
    "url_of",
]

_MAX_STATUS_LINE_BYTES: Final = 16 * 1024
_READ_BUFFER_BYTES: Final = 64 * 1024
_MAX_LOOKUPS: Final = 32  # at once; further ones wait
_KEEP_ALIVE_S: Final = 15.0  # shorter than what most servers keep, so that few requests meet a closing connection
# The guest's headers are the request's: aiohttp adds none but host, content-length and transfer-encoding.
_AUTOMATIC_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

_target: ContextVar[Destination] = ContextVar("qwasr_http_target")


class SystemResolver(AbstractResolver):
    """The system's resolver, in threads that guests' look-ups have for themselves."""

    def __init__(self) -> None:
        self._resolver = GuestResolver(_MAX_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise `OSError` when it cannot be resolved."""
        found = await self._resolver.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host,
                host=f"{address[0]}%{address[3]}" if address[3:] and address[3] else address[0],  # of one link
                port=address[1],
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Return: no one waits for a look-up that hangs."""


class CheckingResolver(AbstractResolver):
    """Resolves a name and returns only addresses that a request may go to.

    aiohttp connects to what a resolver returns and to nothing else. Which destination is meant is in a context
    variable: the connector hands over host and port, but an entry may be for one scheme.

    Args:
        destinations: what is allowed.
        timeout_s: how long resolving may take, seconds.
        inner: the resolver that asks; the system's when not given.
    """

    def __init__(self, destinations: Destinations, timeout_s: float, inner: AbstractResolver | None = None) -> None:
        self._destinations = destinations
        self._timeout_s = timeout_s
        self._inner = inner or SystemResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the permitted addresses of a name.

        Raises:
            AddressProhibited: it has addresses, and none is permitted.
            DnsTimeout: no answer in time.
            OSError: it cannot be resolved.
        """
        destination = _target.get()
        try:
            async with asyncio.timeout(self._timeout_s):
                results = await self._inner.resolve(host, port, family)
        except TimeoutError:
            raise DnsTimeout from None
        permitted = [
            result
            for result in results
            if self._destinations.permits(destination, ipaddress.ip_address(result["host"].partition("%")[0]))
        ]
        if results and not permitted:
            raise AddressProhibited
        return permitted

    async def close(self) -> None:
        """Release the resolver that asks."""
        await self._inner.close()


def make_session(
    destinations: Destinations,
    connect_timeout_s: float,
    max_connections: int,
    resolver: AbstractResolver | None = None,
    *,
    max_headers: int = MAX_FIELDS,
    max_header_bytes: int = MAX_HEADER_BYTES,
) -> aiohttp.ClientSession:
    """Return a session for guests' requests.

    Args:
        destinations: what is allowed.
        connect_timeout_s: how long resolving a name may take, seconds.
        max_connections: how many connections there are at once.
        resolver: asks for names; the system's when not given.
        max_headers: how many header lines a response may have.
        max_header_bytes: the longest of them.
    """
    connector = aiohttp.TCPConnector(
        resolver=CheckingResolver(destinations, connect_timeout_s, resolver),
        # Cached answers were checked for whoever asked first, and an entry may allow a name for one scheme only.
        use_dns_cache=False,
        limit=max_connections,
        keepalive_timeout=_KEEP_ALIVE_S,
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=_READ_BUFFER_BYTES,
        max_line_size=_MAX_STATUS_LINE_BYTES,
        max_field_size=max_header_bytes,
        max_headers=max_headers,
    )


@contextmanager
def target_of(destination: Destination) -> Iterator[None]:
    """Let the resolver know what the request in this block is for."""
    token = _target.set(destination)
    try:
        yield
    finally:
        _target.reset(token)


def url_of(destination: Destination, path_with_query: str) -> URL:
    """Return the URL whose path and query are sent exactly as given."""
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return URL(f"{destination.scheme}://{host}:{destination.port}{path_with_query}", encoded=True)


def headers_of(fields: Sequence[tuple[str, bytes]], length: int | None) -> list[tuple[str, str]]:
    """Return the fields as aiohttp takes them.

    Args:
        fields: the guest's.
        length: of a body that aiohttp cannot know the length of.

    Raises:
        UnicodeDecodeError: a value is not UTF-8, which is how aiohttp writes values.
    """
    headers = [(name, value.decode()) for name, value in fields]
    if length is not None:
        headers.append(("Content-Length", str(length)))
    return headers


class UploadPayload(AsyncIterablePayload):
    """A body that a guest is still writing.

    aiohttp keeps the head back until the first piece, to send both at once; a guest may want the response first.
    """

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload)
        self._upload = upload

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the head, unless a piece is there already, then the pieces."""
        if not self._upload.ready():
            writer.send_headers()
        await super().write_with_length(writer, content_length)


class AiohttpResponse:
    """An aiohttp response as `qwasr_http.protocol.ClientResponse`.

    Args:
        response: the response.
        between_bytes_timeout_s: how long its body may pause.
        release: called once, when it is closed.
    """

    __slots__ = ("_release", "_response", "payload", "raw_headers", "status")

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        between_bytes_timeout_s: float,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._response = response
        self._release = release
        self.status = response.status
        self.raw_headers: Sequence[tuple[bytes, bytes]] = response.raw_headers
        self.payload: Payload = response.content
        connection = response.connection
        if connection is not None and connection.protocol is not None and not response.content.is_eof():
            connection.protocol.read_timeout = between_bytes_timeout_s
            connection.protocol.start_timeout()

    def code_of(self, failure: BaseException) -> Variant:
        """Return the error-code for what broke the body off."""
        return error_code(failure)

    def close(self) -> None:
        """Close the connection, unless everything was received: then it is in the pool again."""
        self._response.close()
        if self._release is not None:
            release, self._release = self._release, None
            release()
