"""The backend `aiohttp`: guests' requests to other servers over one pool of connections.

Redirects, proxies, cookies and decompression are the guest's business: nothing here follows, uses, keeps or decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from qwasr.call import current_call
from qwasr.errors import OptionError
from qwasr.options import ConnectOptions, env
from qwasr.values import Variant
from qwasr_http.codes import HttpError
from qwasr_http.destinations import Destinations, parse_authority
from qwasr_http.limits import MAX_FIELDS, MAX_HEADER_BYTES, header_bytes

if TYPE_CHECKING:
    import aiohttp

    from qwasr.call import CallInfo
    from qwasr_http.certificates import ClientCertificates
    from qwasr_http.protocol import ClientRequest, ClientResponse
    from qwasr_http.session import UploadPayload

__all__ = ["AiohttpClient", "AiohttpClientOptions"]

_BODY_IS_RARE = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
_CERTIFICATE = "client-cert"


@dataclass(frozen=True, slots=True, kw_only=True)
class AiohttpClientOptions(ConnectOptions):
    """Where guests may send requests, and how long that may take."""

    allow: tuple[str, ...] = env(
        "QWASR_HTTP_ALLOW",
        default=(),
        help="hosts that guests may send requests to: [scheme://]host[:port], *.example.org, comma separated",
    )
    private_networks: tuple[str, ...] = env(
        "QWASR_HTTP_PRIVATE_NETWORKS",
        default=(),
        help="private networks that allowed host names may resolve to: 10.0.0.0/8, comma separated",
    )
    connect_timeout_s: float = env(
        "QWASR_HTTP_CONNECT_TIMEOUT_S",
        default=10.0,
        minimum=0.001,
        maximum=86_400,
        help="until a connection stands, seconds",
    )
    read_timeout_s: float = env(
        "QWASR_HTTP_READ_TIMEOUT_S",
        default=60.0,
        minimum=0.001,
        maximum=86_400,
        help="until the response's head, and between two pieces of its body, seconds",
    )
    max_connections: int = env(
        "QWASR_HTTP_MAX_CONNECTIONS",
        default=256,
        minimum=1,
        maximum=100_000,
        help="how many connections guests have at once",
    )
    max_guest_requests: int = env(
        "QWASR_HTTP_MAX_GUEST_REQUESTS",
        default=32,
        minimum=1,
        maximum=100_000,
        help="how many requests one call of a guest has under way at once, responses that it holds included",
    )
    max_headers: int = env(
        "QWASR_HTTP_MAX_GUEST_HEADERS",
        default=MAX_FIELDS,
        minimum=1,
        maximum=10_000,
        help="how many header lines a request of a guest may have, and the response to it",
    )
    max_header_bytes: int = env(
        "QWASR_HTTP_MAX_GUEST_HEADER_BYTES",
        default=MAX_HEADER_BYTES,
        minimum=256,
        maximum=1024 * 1024,
        help="all header lines of a request of a guest together, and of the response to it, bytes",
    )


class AiohttpClient:
    """Sends guests' requests with aiohttp."""

    name: ClassVar[str] = "aiohttp"
    provides: ClassVar[tuple[str, ...]] = ("http",)
    schemes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[ConnectOptions]] = AiohttpClientOptions

    def __init__(
        self,
        options: AiohttpClientOptions,
        destinations: Destinations,
        session: aiohttp.ClientSession,
        certificates: ClientCertificates,
    ) -> None:
        self._options = options
        self._destinations = destinations
        self._session = session
        self._certificates = certificates
        self._held: dict[CallInfo, int] = {}  # how many requests a call has under way

    @classmethod
    async def connect(cls, options: AiohttpClientOptions) -> Self:
        """Make the pool; nothing is sent before a guest sends.

        Raises:
            OptionError: an entry of `QWASR_HTTP_ALLOW` or `QWASR_HTTP_PRIVATE_NETWORKS` is none.
        """
        from qwasr_http.certificates import ClientCertificates
        from qwasr_http.session import make_session

        try:
            destinations = Destinations(options.allow, options.private_networks)
        except ValueError as error:
            message = f"QWASR_HTTP_ALLOW or QWASR_HTTP_PRIVATE_NETWORKS does not fit: {error}"
            raise OptionError(message) from None
        session = make_session(
            destinations,
            options.connect_timeout_s,
            options.max_connections,
            max_headers=options.max_headers,
            max_header_bytes=options.max_header_bytes,
        )
        return cls(options, destinations, session, ClientCertificates())

    async def check(self) -> None:
        """Return: other servers are no part of this host."""

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, request: ClientRequest) -> ClientResponse:
        """Send the request to an allowed destination.

        Raises:
            HttpError: it may not be sent, or there is no response.
        """
        from qwasr_http.session import AiohttpResponse

        try:
            call = current_call()
        except LookupError:  # not a guest's
            return AiohttpResponse(*await self._send(request))
        held = self._held
        count = held.get(call, 0)
        if count >= self._options.max_guest_requests:
            raise HttpError(Variant("connection-limit-reached"))
        held[call] = count + 1
        try:
            response = await self._send(request)
        except BaseException:
            self._release(call)
            raise
        return AiohttpResponse(*response, release=partial(self._release, call))

    def _release(self, call: CallInfo) -> None:
        count = self._held[call] - 1
        if count:
            self._held[call] = count
        else:
            del self._held[call]

    async def _send(self, request: ClientRequest) -> tuple[aiohttp.ClientResponse, float]:
        """Return the response, and how long its body may pause."""
        from aiohttp import ClientTimeout

        from qwasr_http.client_errors import error_code
        from qwasr_http.session import headers_of, target_of, url_of

        try:
            destination = parse_authority(request.scheme, request.authority)
        except ValueError:
            raise HttpError(Variant("HTTP-request-URI-invalid")) from None
        if not self._destinations.allows(destination):
            raise HttpError(Variant("HTTP-request-denied"))
        if destination.address is not None and not self._destinations.permits(destination, destination.address):
            raise HttpError(Variant("destination-IP-prohibited"))
        options = self._options
        tls = await self._tls(request)
        size = header_bytes(request.headers)
        if len(request.headers) > options.max_headers or size > options.max_header_bytes:
            raise HttpError(Variant("HTTP-request-header-section-size", size))
        length = None if request.body is None else request.body.length
        body = await _body(request)
        timeout = ClientTimeout(
            connect=request.connect_timeout_s or options.connect_timeout_s,
            sock_read=request.first_byte_timeout_s or options.read_timeout_s,
            ceil_threshold=float("inf"),
        )
        try:
            with target_of(destination):
                response = await self._session.request(
                    request.method,
                    url_of(destination, request.path_with_query),
                    headers=headers_of(request.headers, None if isinstance(body, bytes) else length),
                    data=body,
                    timeout=timeout,
                    ssl=tls,
                    allow_redirects=False,
                )
        except Exception as error:
            raise HttpError(error_code(error)) from error
        size = header_bytes(response.raw_headers)
        if size > options.max_header_bytes:
            response.close()
            raise HttpError(Variant("HTTP-response-header-section-size", size))
        return response, request.between_bytes_timeout_s or options.read_timeout_s

    async def _tls(self, request: ClientRequest) -> Any:
        """Return the TLS settings of a request with a client certificate, and take that out of its headers."""
        given = [value for name, value in request.headers if name.lower() == _CERTIFICATE]
        if not given:
            return True
        request.headers = [field for field in request.headers if field[0].lower() != _CERTIFICATE]
        if len(given) > 1 or request.scheme != "https":
            raise HttpError(Variant("TLS-certificate-error"))
        return await self._certificates.context(given[0])


async def _body(request: ClientRequest) -> bytes | UploadPayload | None:
    """Return the body as aiohttp takes it: whole if it is, so that it has a length; nothing if there is none."""
    from qwasr_http.session import UploadPayload

    upload = request.body
    if upload is None:
        return None
    if upload.length is None and request.method in _BODY_IS_RARE:
        await upload.begun()  # most often the end, and then there is no body: not even an empty chunked one
    if not upload.complete:
        return UploadPayload(upload)
    return upload.take() or None
