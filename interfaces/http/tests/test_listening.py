"""Where the server listens: several addresses, Unix sockets, and what is shared with other workers."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import RawClient
from qwasr.addresses import SHARED
from qwasr.errors import ConfigurationError, OptionError, ServeError
from qwasr_http.listening import Address, parse_addresses
from qwasr_http.server import HttpServer, HttpServerOptions
from tools.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from interfaces.http.tests.conftest import Connect, Serve

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
HELLO = guests.guest(guests.HELLO, text="hello")


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


async def test_a_worker_that_cannot_serve_leaves_no_socket_behind(serve: Serve, tmp_path: Path) -> None:
    guest = (await serve(HELLO))._guest
    path = tmp_path / "http.sock"
    server = HttpServer(HttpServerOptions(addresses=(f"unix:{path}", "192.0.2.1:1")))
    server.listening = {}
    with pytest.raises(ServeError):
        await server.start(guest)
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


@pytest.mark.parametrize("address", ["127.0.0.1:0", "unix:{folder}/http.sock"])
async def test_what_only_one_can_bind_is_shared_by_name_and_left_by_the_one_who_closes(
    serve: Serve, tmp_path: Path, address: str
) -> None:
    guest = (await serve(HELLO))._guest
    options = HttpServerOptions(addresses=(address.format(folder=tmp_path), "127.0.0.1:0"))
    first, second = HttpServer(options), HttpServer(options)
    first.listening = {}
    await first.start(guest)
    assert len(first.listening) == 2
    assert all(name.startswith(SHARED) for name in first.listening)
    second.listening = {name: one.dup() for name, one in first.listening.items()}
    await second.start(guest)
    assert second.describe() == first.describe()
    await first.close()
    for url in second.describe().split(", "):
        if url.startswith("unix:"):
            client = await over_unix(tmp_path / "http.sock")
        else:
            client = RawClient(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))
        assert await hello(client) == b"hello"
    await second.close()
    assert (tmp_path / "http.sock").exists() == address.startswith("unix:"), "the supervisor removes it"


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
