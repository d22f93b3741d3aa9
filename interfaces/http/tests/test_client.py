"""Outgoing requests: what is sent, what comes back, and which error-code says what went wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from qwasr.errors import OptionError
from qwasr.values import Variant
from qwasr_http.certificates import ClientCertificates
from qwasr_http.client import AiohttpClient, AiohttpClientOptions
from qwasr_http.codes import HttpError
from qwasr_http.destinations import Destinations
from qwasr_http.protocol import ClientRequest, ClientResponse, Upload
from qwasr_http.session import make_session
from qwasr_http.sinks import BUFFER_BYTES, BodySink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

Handler = "Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def peer(handler: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that is written byte by byte; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answers(data: bytes, seen: list[bytes] | None = None, *, then: float = 0.0) -> Any:
    """Return a handler that reads a head, then sends bytes, then waits before it closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then)

    return handler


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    client = await AiohttpClient.connect(AiohttpClientOptions(allow=("127.0.0.1", "[::1]", "localhost")))
    yield client
    await client.close()


def request(port: int, path: str = "/", **fields: Any) -> ClientRequest:
    values = {"method": "GET", "scheme": "http", "authority": f"127.0.0.1:{port}", "headers": [], **fields}
    return ClientRequest(path_with_query=path, **values)


async def body_of(response: ClientResponse) -> bytes:
    pieces = []
    while piece := await response.payload.readany():
        pieces.append(piece)
    return b"".join(pieces)


async def refusal(client: AiohttpClient, sent: ClientRequest) -> Variant:
    with pytest.raises(HttpError) as found:
        await client.send(sent)
    return found.value.code


async def test_a_request_is_sent_exactly_as_the_guest_wrote_it(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    async with peer(answers(OK, seen)) as port:
        headers = [("X-One", b"1"), ("x-two", "ü".encode()), ("X-One", b"2")]
        response = await client.send(request(port, "/a%2fb/../c?x=%20&y=[z]", headers=headers))
        assert await body_of(response) == b"ok"
    expected = f"GET /a%2fb/../c?x=%20&y=[z] HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-One: 1\r\nx-two: ü\r\nX-One: 2\r\n\r\n"
    assert seen == [expected.encode()]


async def test_a_redirect_is_the_guests_to_follow(client: AiohttpClient) -> None:
    async with peer(answers(b"HTTP/1.1 302 Found\r\nLocation: http://x.test/\r\nContent-Length: 0\r\n\r\n")) as port:
        response = await client.send(request(port))
        assert response.status == 302
        assert (b"Location", b"http://x.test/") in response.raw_headers


async def test_a_compressed_body_stays_compressed(client: AiohttpClient) -> None:
    data = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    async with peer(answers(head + data)) as port:
        assert await body_of(await client.send(request(port))) == data


async def test_cookies_are_not_kept(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    async with peer(answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n", seen)) as port:
        for _ in range(2):
            (await client.send(request(port, authority=f"localhost:{port}"))).close()
    assert not any(b"ookie" in head for head in seen)


async def test_proxy_variables_are_ignored(client: AiohttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    async with peer(answers(OK)) as port:
        assert await body_of(await client.send(request(port))) == b"ok"


async def test_a_connection_is_used_again(client: AiohttpClient) -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)

    async with peer(handler) as port:
        for _ in range(3):
            assert await body_of(await client.send(request(port))) == b"ok"
    assert connections == 1


# ---------------------------------------------------------------------- bodies


async def test_a_body_that_is_finished_is_sent_with_its_length(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    sink.write(b"hello")
    sink.finish()
    async with peer(answers(OK, seen)) as port:
        await body_of(await client.send(request(port, method="POST", body=upload)))
    assert b"Content-Length: 5\r\n" in seen[0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
async def test_a_body_without_bytes_is_no_chunked_body(client: AiohttpClient, method: str) -> None:
    seen: list[bytes] = []
    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(answers(b"HTTP/1.1 204 No\r\n\r\n", seen)) as port:
        task = asyncio.create_task(client.send(request(port, method=method, body=upload)))
        if method == "POST":
            sink.finish()
        else:
            await asyncio.sleep(0.02)
            sink.finish()
        (await task).close()
    assert b"chunked" not in seen[0]


async def test_a_body_streams_out_while_the_response_streams_in(client: AiohttpClient) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Transfer-Encoding: chunked\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (chunk := await reader.readuntil(b"\r\n")) != b"0\r\n":
            writer.write(chunk + await reader.readexactly(int(chunk, 16) + 2))
        writer.write(b"0\r\n\r\n")

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(echo) as port:
        response = await client.send(request(port, method="POST", body=upload))
        for number in range(3):
            sink.write(b"piece %d" % number)
            assert await response.payload.readany() == b"piece %d" % number
        sink.finish()
        assert await response.payload.readany() == b""


async def test_a_body_of_an_announced_length_streams_without_chunks(client: AiohttpClient) -> None:
    bodies: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 10\r\n" in head
        assert b"chunked" not in head
        bodies.append(await reader.readexactly(10))
        writer.write(OK)

    sink = BodySink(10, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        for _ in range(2):
            await asyncio.sleep(0.02)
            sink.write(b"hello")
        sink.finish()
        assert (await task).status == 200
    assert bodies == [b"hellohello"]


async def test_a_peer_that_does_not_read_stops_the_guest(client: AiohttpClient) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        while not (await reader.read(1 << 20)).endswith(b"0\r\n\r\n"):
            pass
        writer.write(OK)

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    written = 0
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        async with asyncio.timeout(10):
            try:
                async with asyncio.timeout(0.2):
                    while True:
                        await sink.wait()
                        sink.write(bytes(BUFFER_BYTES))
                        written += BUFFER_BYTES
                        await asyncio.sleep(0)
            except TimeoutError:
                pass
            assert BUFFER_BYTES < written < 64 * 1024 * 1024
            await sink.wait()
            sink.finish()
            assert (await task).status == 200


async def test_a_body_that_the_guest_gives_up_is_no_whole_body(client: AiohttpClient) -> None:
    bodies: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.read())

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        sink.write(b"begin")
        await asyncio.sleep(0.05)
        sink.fail(Variant("internal-error", "given up"))
        with pytest.raises(HttpError) as found:
            await task
        await asyncio.sleep(0.05)
    assert found.value.code == Variant("internal-error", "given up")
    assert bodies == [b"5\r\nbegin\r\n"]


# ---------------------------------------------------------------------- where


async def test_what_is_not_allowed_is_denied() -> None:
    client = await AiohttpClient.connect(AiohttpClientOptions())
    assert await refusal(client, request(80)) == Variant("HTTP-request-denied")
    await client.close()


async def test_an_inner_address_that_is_not_named_is_prohibited() -> None:
    client = await AiohttpClient.connect(AiohttpClientOptions(allow=("*",)))
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "localhost", "LOCALHOST.", "10.0.0.1"):
        assert await refusal(client, request(80, authority=host)) == Variant("destination-IP-prohibited"), host
    for host in ("2130706433", "127.1", "0x7f.0.0.1"):
        assert (await refusal(client, request(80, authority=host))).case in (
            "HTTP-request-URI-invalid",
            "destination-IP-prohibited",
            "DNS-error",
        )
    await client.close()


async def test_entries_that_are_none_are_an_error_that_names_the_variable() -> None:
    with pytest.raises(OptionError, match="QWASR_HTTP_ALLOW"):
        await AiohttpClient.connect(AiohttpClientOptions(allow=("ftp://x",)))


class Names(AbstractResolver):
    """Answers with one list after another."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None: ...


@asynccontextmanager
async def client_with(names: AbstractResolver, *allow: str) -> AsyncIterator[AiohttpClient]:
    destinations = Destinations(allow)
    options = AiohttpClientOptions(allow=allow, connect_timeout_s=0.2)
    client = AiohttpClient(options, destinations, make_session(destinations, 0.2, 10, names), ClientCertificates())
    yield client
    await client.close()


async def test_a_name_that_leads_inside_is_prohibited() -> None:
    async with client_with(Names(["127.0.0.1", "::1"]), "evil.test") as client:
        assert await refusal(client, request(80, authority="evil.test")) == Variant("destination-IP-prohibited")


async def test_only_the_addresses_that_were_checked_are_connected_to() -> None:
    async with peer(answers(OK)) as port:
        names = Names(["10.0.0.1", "127.0.0.1"], ["127.0.0.2"])
        async with client_with(names, "some.test", "127.0.0.1") as client:
            response = await client.send(request(port, authority=f"some.test:{port}"))
            assert await body_of(response) == b"ok"
    assert names.asked == 1


# ---------------------------------------------------------------------- what goes wrong


async def test_no_one_listening_is_connection_refused(client: AiohttpClient) -> None:
    async with peer(answers(OK)) as port:
        pass
    assert await refusal(client, request(port)) == Variant("connection-refused")


async def test_a_name_that_is_none_is_a_dns_error() -> None:
    class Nowhere(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with client_with(Nowhere(), "nowhere.test") as client:
        code = await refusal(client, request(80, authority="nowhere.test"))
    assert (code.case, code.value.rcode) == ("DNS-error", "NXDOMAIN")


async def test_a_name_that_takes_too_long_is_a_dns_timeout() -> None:
    class Slow(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
            await asyncio.sleep(5)
            return []

    async with client_with(Slow(), "slow.test") as client:
        code = await refusal(client, request(80, authority="slow.test", connect_timeout_s=5.0))
    assert code == Variant("DNS-timeout")


async def test_the_connect_timeout_covers_the_name_too() -> None:
    class Slow(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
            await asyncio.sleep(5)
            return []

    async with client_with(Slow(), "slow.test") as client:
        code = await refusal(client, request(80, authority="slow.test", connect_timeout_s=0.05))
    assert code == Variant("connection-timeout")


async def test_a_head_that_does_not_come_is_a_read_timeout(client: AiohttpClient) -> None:
    async with peer(answers(b"", then=5)) as port:
        code = await refusal(client, request(port, first_byte_timeout_s=0.05))
    assert code == Variant("connection-read-timeout")


async def test_a_body_that_pauses_too_long_is_a_read_timeout(client: AiohttpClient) -> None:
    async with peer(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", then=5)) as port:
        response = await client.send(request(port, first_byte_timeout_s=5.0, between_bytes_timeout_s=0.05))
        with pytest.raises(Exception) as found:  # noqa: B017, PT011 - aiohttp's, whatever it is: its code matters
            await body_of(response)
    assert response.code_of(found.value) == Variant("connection-read-timeout")
    response.close()


async def test_a_body_may_take_long_if_it_never_pauses(client: AiohttpClient) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.03)

    async with peer(drip) as port:
        response = await client.send(request(port, first_byte_timeout_s=0.1, between_bytes_timeout_s=0.2))
        assert await body_of(response) == b"x" * 10


@pytest.mark.parametrize(
    ("data", "case"),
    [
        (b"", "connection-terminated"),
        (b"HTTP/1.1 200", "connection-terminated"),
        (b"nonsense\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", "HTTP-response-header-size"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n", "HTTP-protocol-error"),
    ],
)
async def test_a_head_that_is_none_has_its_code(client: AiohttpClient, data: bytes, case: str) -> None:
    async with peer(answers(data)) as port:
        assert (await refusal(client, request(port))).case == case


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    ],
)
async def test_a_body_that_breaks_off_is_an_incomplete_response(client: AiohttpClient, data: bytes) -> None:
    async with peer(answers(data, then=0.02)) as port:
        response = await client.send(request(port))
        with pytest.raises(Exception) as found:  # noqa: B017, PT011 - aiohttp's, whatever it is: its code matters
            await body_of(response)
    assert response.code_of(found.value) == Variant("HTTP-response-incomplete")
    response.close()


async def test_a_value_that_cannot_be_sent_is_an_error(client: AiohttpClient) -> None:
    assert await refusal(client, request(1, headers=[("x", b"\xff")])) == Variant("HTTP-protocol-error")


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed certificate and its key, for servers and for clients."""
    folder = tmp_path_factory.mktemp("pki")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split()
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    for name in ("server", "client"):
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
        try:
            subprocess.run([*command, *names, *files], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("needs the openssl command to make certificates")
    return folder


def server_tls(pki: Path, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pki / "client.crt")
    return context


async def test_a_certificate_that_no_one_vouches_for_is_refused(client: AiohttpClient, pki: Path) -> None:
    async with peer(answers(OK), server_tls(pki)) as port:
        assert await refusal(client, request(port, scheme="https")) == Variant("TLS-certificate-error")


async def test_a_server_without_tls_is_a_tls_protocol_error(client: AiohttpClient) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with peer(plain) as port:
        assert await refusal(client, request(port, scheme="https")) == Variant("TLS-protocol-error")


def certificate_header(pki: Path) -> bytes:
    import base64

    return base64.b64encode((pki / "client.crt").read_bytes() + (pki / "client.key").read_bytes())


async def test_a_client_certificate_turns_on_mutual_tls(
    client: AiohttpClient, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki / "server.crt"))
    seen: list[bytes] = []
    async with peer(answers(OK, seen), server_tls(pki, mutual=True)) as port:
        headers = [("Client-Cert", certificate_header(pki)), ("x", b"1")]
        response = await client.send(request(port, scheme="https", headers=headers))
        assert await body_of(response) == b"ok"
    assert b"lient-" not in seen[0]
    assert b"x: 1\r\n" in seen[0]


@pytest.mark.parametrize("value", [b"", b"not base64!", b"bm90IHBlbQ=="])
async def test_a_client_certificate_that_is_none_is_an_error(client: AiohttpClient, value: bytes) -> None:
    code = await refusal(client, request(1, scheme="https", headers=[("client-cert", value)]))
    assert code == Variant("TLS-certificate-error")


async def test_a_client_certificate_never_goes_out_in_the_clear(client: AiohttpClient, pki: Path) -> None:
    code = await refusal(client, request(1, headers=[("client-cert", certificate_header(pki))]))
    assert code == Variant("TLS-certificate-error")
