"""Where the server listens: several addresses, Unix sockets, TLS whose certificate is read again."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import RawClient
from qwasr.errors import ConfigurationError, OptionError, ServeError
from qwasr_http.listening import Address, parse_addresses
from qwasr_http.server import HttpServer, HttpServerOptions

if TYPE_CHECKING:
    from pathlib import Path

    from interfaces.http.tests.conftest import Connect, Serve

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
HELLO = guests.guest(guests.HELLO, text="hello")

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command makes the certificates")


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority; return its file and its key's."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return certificate, key


async def over_tls(server: HttpServer, certificate: Path) -> RawClient:
    context = ssl.create_default_context(cafile=certificate)
    return RawClient(*await asyncio.open_connection("127.0.0.1", server.port, ssl=context))


async def over_unix(path: Path) -> RawClient:
    return RawClient(*await asyncio.open_unix_connection(path))


async def hello(client: RawClient) -> bytes:
    await client.send(GET)
    body = (await client.answer()).body
    client.writer.close()
    return body


def test_addresses_are_hosts_with_ports_and_unix_sockets() -> None:
    assert parse_addresses(["[::1]:80", "unix:/run/a.sock", "https://a.test:443", "http://b.test:80"]) == (
        Address("::1", 80),
        Address("", 0, "/run/a.sock"),
        Address("a.test", 443, tls=True),
        Address("b.test", 80, tls=False),
    )


@pytest.mark.parametrize("address", ["unix:", "8080", "ftp://a:1", "a:1:2", "https://a"])
def test_anything_else_is_an_error_that_names_the_variable(address: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTP_ADDR"):
        parse_addresses([address])


def test_no_address_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="HTTP_ADDR is empty"):
        HttpServer(HttpServerOptions(addresses=()))


async def test_several_addresses_are_served_at_once(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    server = await serve(HELLO, HTTP_ADDR=f"unix:{path}, 127.0.0.1:0, 127.0.0.1:0")
    assert server.describe().startswith(f"unix:{path}, http://127.0.0.1:{server.port}, http://127.0.0.1:")
    other = int(server.describe().rpartition(":")[2])
    assert other != server.port
    assert await hello(await over_unix(path)) == b"hello"
    assert await hello(await connect(server)) == b"hello"
    assert await hello(RawClient(*await asyncio.open_connection("127.0.0.1", other))) == b"hello"


async def test_a_unix_socket_is_removed_when_the_server_closes(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    server = await serve(HELLO, HTTP_ADDR=f"unix:{path}")
    assert server.port == 0
    await server.close()
    assert not path.exists()


async def test_a_unix_socket_that_no_one_listens_at_is_replaced(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    await serve(HELLO, HTTP_ADDR=f"unix:{path}")
    assert await hello(await over_unix(path)) == b"hello"


async def test_a_unix_socket_that_someone_listens_at_stays(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    await serve(HELLO, HTTP_ADDR=f"unix:{path}")
    with pytest.raises(ServeError, match="cannot listen on unix:"):
        await serve(HELLO, HTTP_ADDR=f"unix:{path}")
    assert await hello(await over_unix(path)) == b"hello"


async def test_a_file_in_the_way_stays(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("content")
    with pytest.raises(ServeError, match="cannot listen on unix:"):
        await serve(HELLO, HTTP_ADDR=f"unix:{path}")
    assert path.read_text() == "content"


async def test_one_address_that_cannot_be_means_none_is_served(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with pytest.raises(ServeError):
        await serve(HELLO, HTTP_ADDR=f"unix:{path},192.0.2.1:1")
    assert not path.exists()


async def test_two_servers_share_a_port_when_told(serve: Serve, connect: Connect) -> None:
    guest = (await serve(HELLO))._guest
    options = HttpServerOptions(addresses=(f"127.0.0.1:{free_port()}",))
    first, second = HttpServer(options), HttpServer(options)
    first.listening, second.listening = {}, {}
    await first.start(guest)
    await second.start(guest)
    await first.close()
    assert await hello(await connect(second)) == b"hello"
    await second.close()


async def test_a_server_takes_over_the_socket_of_another_with_its_queue(serve: Serve, connect: Connect) -> None:
    guest = (await serve(HELLO))._guest
    options = HttpServerOptions(addresses=(f"127.0.0.1:{free_port()}",))
    first, second = HttpServer(options), HttpServer(options)
    first.listening = {}
    await first.start(guest)
    second.listening = {name: one.dup() for name, one in first.listening.items()}
    await first.close()
    waiting = socket.create_connection(("127.0.0.1", first.port))  # accepted by no one yet
    await second.start(guest)
    with waiting:
        waiting.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(waiting, GET)
        assert (await loop.sock_recv(waiting, 100)).startswith(b"HTTP/1.1 200 ")
    await second.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", second.port))


async def test_a_free_port_is_not_shared(serve: Serve) -> None:
    guest = (await serve(HELLO))._guest
    server = HttpServer(HttpServerOptions(addresses=("127.0.0.1:0",)))
    server.listening = {}
    with pytest.raises(ServeError, match="another port in each worker"):
        await server.start(guest)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_a_unix_socket_is_not_shared(serve: Serve, tmp_path: Path) -> None:
    guest = (await serve(HELLO))._guest
    server = HttpServer(HttpServerOptions(addresses=(f"unix:{tmp_path / 'http.sock'}",)))
    server.listening = {}
    with pytest.raises(ServeError, match="one worker"):
        await server.start(guest)


@needs_openssl
async def test_with_a_certificate_requests_come_over_tls(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    assert server.describe() == f"https://127.0.0.1:{server.port}"
    client = await over_tls(server, certificate)
    for _ in range(2):
        await client.send(GET)
        assert (await client.answer()).body == b"hello"
    client.writer.close()


@needs_openssl
async def test_a_large_response_over_tls_comes_whole(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(guests.guest(guests.FLOOD), HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    client = await over_tls(server, certificate)
    await client.send(GET)
    assert len((await client.answer()).body) == 4096 * 4096
    client.writer.close()


@needs_openssl
async def test_plain_and_tls_are_served_side_by_side(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    path = tmp_path / "http.sock"
    addresses = f"http://127.0.0.1:0,https://127.0.0.1:0,unix:{path}"
    server = await serve(HELLO, HTTP_ADDR=addresses, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    assert await hello(await connect(server)) == b"hello"
    assert await hello(await over_unix(path)) == b"hello"


@needs_openssl
async def test_a_client_without_tls_gets_nothing_and_harms_no_one(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    client = await connect(server)
    await client.send(GET)
    assert not (await client.reader.read(5)).startswith(b"HTTP")
    assert await hello(await over_tls(server, certificate)) == b"hello"


@needs_openssl
async def test_a_certificate_is_read_again_and_connections_stand(serve: Serve, tmp_path: Path) -> None:
    one, key = make_certificate(tmp_path, "one")
    other, other_key = make_certificate(tmp_path, "other")
    server = await serve(HELLO, HTTP_TLS_CERT=str(one), HTTP_TLS_KEY=str(key))
    trusts_one = one.read_bytes()
    before = await over_tls(server, one)
    os.replace(other, one)  # noqa: PTH105 - as an operator does
    os.replace(other_key, key)  # noqa: PTH105
    server.reload()
    assert await hello(await over_tls(server, one)) == b"hello"
    assert await hello(before) == b"hello"
    old = tmp_path / "old.pem"
    old.write_bytes(trusts_one)
    with pytest.raises(ssl.SSLCertVerificationError):
        await over_tls(server, old)


@needs_openssl
async def test_a_certificate_that_is_none_changes_nothing(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    key.write_text("nonsense")
    server.reload()
    assert "the certificate stays as it was" in caplog.text
    assert "nonsense" not in caplog.text
    assert await hello(await over_tls(server, certificate)) == b"hello"


async def test_a_certificate_that_is_not_there_is_an_error_that_names_the_variable(
    serve: Serve, tmp_path: Path
) -> None:
    with pytest.raises(ServeError, match="HTTP_TLS_CERT"):
        await serve(HELLO, HTTP_TLS_CERT=str(tmp_path / "none.pem"))


def test_a_key_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="HTTP_TLS_CERT"):
        HttpServer(HttpServerOptions(tls_key=tmp_path))


async def test_https_without_a_certificate_is_an_error(serve: Serve) -> None:
    with pytest.raises(ServeError, match="HTTP_TLS_CERT"):
        await serve(HELLO, HTTP_ADDR="https://127.0.0.1:0")
