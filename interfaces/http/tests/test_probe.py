"""Whether the server could listen, as `qwasr doctor` asks."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from qwasr.errors import ServeError
from qwasr_http.server import HttpServer, HttpServerOptions

if TYPE_CHECKING:
    from pathlib import Path


async def check(**environ: str) -> None:
    await HttpServer(HttpServerOptions.from_env(environ)).check()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_free_addresses_of_every_kind_do(tmp_path: Path) -> None:
    await check(HTTP_ADDR=f"127.0.0.1:0,http://localhost:0,unix:{tmp_path}/http.sock")
    assert names(tmp_path) == []


async def test_a_port_that_is_taken_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ServeError) as caught:
            await check(HTTP_ADDR=f"127.0.0.1:{taken.getsockname()[1]}")
        assert str(caught.value).endswith(f":{taken.getsockname()[1]} (HTTP_ADDR): Address already in use")


async def test_a_port_that_other_workers_share_does_where_it_is_to_be_shared() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = HttpServer(HttpServerOptions(addresses=(f"127.0.0.1:{other.getsockname()[1]}",)))
        with pytest.raises(ServeError):
            await server.check()
        server.listening = {}
        await server.check()


async def test_an_address_of_another_machine_does_not() -> None:
    with pytest.raises(ServeError, match=r"cannot listen on 203\.0\.113\.1:8080 \(HTTP_ADDR\)"):
        await check(HTTP_ADDR="203.0.113.1:8080")


async def test_a_unix_socket_needs_a_folder_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="there is no folder"):
        await check(HTTP_ADDR=f"unix:{tmp_path}/absent/http.sock")


async def test_a_path_where_someone_listens_or_that_is_no_socket_does_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ServeError, match="Address already in use"):
        await check(HTTP_ADDR=f"unix:{tmp_path}/file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "live"))
        listener.listen()
        with pytest.raises(ServeError, match="Address already in use"):
            await check(HTTP_ADDR=f"unix:{tmp_path}/live")
    await check(HTTP_ADDR=f"unix:{tmp_path}/live")  # nobody listens any more, so it would be replaced
    assert names(tmp_path) == ["file", "live"]


async def test_tls_needs_a_certificate_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("this is none")
    with pytest.raises(ServeError, match="no certificate with its key can be read"):
        await check(HTTP_ADDR="127.0.0.1:0", HTTP_TLS_CERT=str(tmp_path / "cert.pem"))
    with pytest.raises(ServeError, match="needs a certificate"):
        await check(HTTP_ADDR="https://127.0.0.1:0")
