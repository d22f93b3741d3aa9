"""Outgoing requests that may not be, or fail: which error-code says so; and client certificates."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.http.tests.certificates import make_certificate
from interfaces.http.tests.http_peers import OK, Names, answers, body_of, client_with, peer, refusal, request
from qwasr.errors import OptionError
from qwasr.values import Variant
from qwasr_http.client import AiohttpClient, AiohttpClientOptions
from qwasr_http.session import SystemResolver

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.abc import ResolveResult


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


@pytest.mark.parametrize("headers", [[("x", b"y")] * 9, [("x", b"y" * 1000)]], ids=["too many lines", "too many bytes"])
async def test_a_request_with_more_headers_than_it_may_have_is_not_sent(headers: list[tuple[str, bytes]]) -> None:
    options = AiohttpClientOptions(allow=("127.0.0.1",), max_headers=8, max_header_bytes=1000)
    client = await AiohttpClient.connect(options)
    seen: list[bytes] = []
    async with peer(answers(OK, seen)) as port:
        assert (await refusal(client, request(port, headers=headers))).case == "HTTP-request-header-section-size"
        assert not seen
        response = await client.send(request(port, headers=headers[:8] if len(headers) > 1 else [("x", b"y" * 995)]))
        assert await body_of(response) == b"ok"
    await client.close()


@pytest.mark.parametrize("lines", [b"x: y\r\n" * 9, b"x: %b\r\n" % (b"y" * 200) * 7], ids=["too many", "too long"])
async def test_a_response_with_more_headers_than_it_may_have_is_none(lines: bytes) -> None:
    options = AiohttpClientOptions(allow=("127.0.0.1",), max_headers=8, max_header_bytes=1000)
    client = await AiohttpClient.connect(options)
    async with peer(answers(OK.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n"))) as port:
        code = await refusal(client, request(port))
    assert code.case == "HTTP-response-header-section-size"
    await client.close()


async def test_entries_that_are_none_are_an_error_that_names_the_variable() -> None:
    with pytest.raises(OptionError, match="QWASR_HTTP_ALLOW"):
        await AiohttpClient.connect(AiohttpClientOptions(allow=("ftp://x",)))


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


async def test_no_one_listening_is_connection_refused(client: AiohttpClient) -> None:
    async with peer(answers(OK)) as port:
        pass
    assert await refusal(client, request(port)) == Variant("connection-refused")


async def test_a_name_that_is_none_is_a_dns_error() -> None:
    class Nowhere(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with client_with(Nowhere(), "nowhere.test") as client:
        code = await refusal(client, request(80, authority="nowhere.test"))
    assert (code.case, code.value.rcode) == ("DNS-error", "NXDOMAIN")


async def test_a_name_that_takes_too_long_is_a_dns_timeout() -> None:
    class Slow(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            await asyncio.sleep(5)
            return []

    async with client_with(Slow(), "slow.test") as client:
        code = await refusal(client, request(80, authority="slow.test", connect_timeout_s=5.0))
    assert code == Variant("DNS-timeout")


async def test_hanging_look_ups_of_guests_do_not_hold_up_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    all_asked, answer = threading.Barrier(33), threading.Event()
    ask = socket.getaddrinfo

    def hanging(host: str, *arguments: Any, **named: Any) -> Any:
        if not host.endswith(".test"):
            return ask(host, *arguments, **named)
        all_asked.wait(30)
        assert answer.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    resolver = SystemResolver()
    lookups = [asyncio.ensure_future(resolver.resolve(f"a{number}.test")) for number in range(32)]
    try:
        await asyncio.to_thread(all_asked.wait, 30)
        async with asyncio.timeout(30):
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    finally:
        answer.set()
        await asyncio.gather(*lookups)


async def test_the_connect_timeout_covers_the_name_too() -> None:
    class Slow(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
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
        with pytest.raises(Exception) as found:  # noqa: PT011 - aiohttp's, whatever it is: its code matters
            await body_of(response)
    assert response.code_of(found.value) == Variant("connection-read-timeout")
    response.close()


async def test_a_body_may_take_long_if_it_never_pauses(client: AiohttpClient) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.15)

    async with peer(drip) as port:
        response = await client.send(request(port, first_byte_timeout_s=1.0, between_bytes_timeout_s=1.0))
        assert await body_of(response) == b"x" * 10


@pytest.mark.parametrize(
    ("data", "case"),
    [
        (b"", "connection-terminated"),
        (b"HTTP/1.1 200", "connection-terminated"),
        (b"nonsense\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", "HTTP-response-header-size"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n", "HTTP-response-header-section-size"),
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
        with pytest.raises(Exception) as found:  # noqa: PT011 - aiohttp's, whatever it is: its code matters
            await body_of(response)
    assert response.code_of(found.value) == Variant("HTTP-response-incomplete")
    response.close()


async def test_a_value_that_cannot_be_sent_is_an_error(client: AiohttpClient) -> None:
    assert await refusal(client, request(1, headers=[("x", b"\xff")])) == Variant("HTTP-protocol-error")


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key, for servers and for clients."""
    folder = tmp_path_factory.mktemp("pki")
    for name in ("server", "client"):
        make_certificate(folder, name)
    return folder


def server_tls(pki: Path, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pki / "client.pem")
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
    return base64.b64encode((pki / "client.pem").read_bytes() + (pki / "client.key").read_bytes())


async def test_a_client_certificate_turns_on_mutual_tls(
    client: AiohttpClient, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki / "server.pem"))
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
