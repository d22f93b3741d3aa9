"""TLS: what is served over it, certificates that are read again, and clients that stand still in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.certificates import make_certificate, trusting
from interfaces.http.tests.conftest import RawClient, until_running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from interfaces.http.tests.conftest import Connect, Serve
    from qwasr_http.server import HttpServer

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n"
HELLO = guests.guest(guests.HELLO, text="hello")


async def over_tls(server: HttpServer | int, certificate: Path) -> RawClient:
    port = server if isinstance(server, int) else server.port
    return RawClient(*await asyncio.open_connection("127.0.0.1", port, ssl=trusting(certificate)))


async def hello(client: RawClient) -> bytes:
    await client.send(GET)
    body = (await client.answer()).body
    client.writer.close()
    return body


async def test_with_a_certificate_requests_come_over_tls(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    assert server.describe() == f"https://127.0.0.1:{server.port}"
    client = await over_tls(server, certificate)
    for _ in range(2):
        await client.send(GET)
        assert (await client.answer()).body == b"hello"
    client.writer.close()


async def test_a_large_response_over_tls_comes_whole(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(guests.guest(guests.FLOOD), HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    client = await over_tls(server, certificate)
    await client.send(GET)
    assert len((await client.answer()).body) == 4096 * 4096
    client.writer.close()


async def test_plain_and_tls_are_served_side_by_side(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    path = tmp_path / "http.sock"
    addresses = f"http://127.0.0.1:0,https://127.0.0.1:0,unix:{path}"
    server = await serve(HELLO, HTTP_ADDR=addresses, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    assert await hello(await connect(server)) == b"hello"
    assert await hello(RawClient(*await asyncio.open_unix_connection(path))) == b"hello"


async def test_a_client_without_tls_gets_nothing_and_harms_no_one(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    client = await connect(server)
    await client.send(GET)
    assert not (await client.reader.read(5)).startswith(b"HTTP")
    assert await hello(await over_tls(server, certificate)) == b"hello"


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


async def test_a_body_that_stops_coming_over_tls_is_cut_and_ends_its_guest(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    settings = {"HTTP_TLS_CERT": str(certificate), "HTTP_TLS_KEY": str(key), "QWASR_BODY_IDLE_S": "0.2"}
    server = await serve(guests.guest(guests.ECHO), **settings)
    client = await over_tls(server, certificate)
    await client.send(POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked") + b"4\r\nhalf\r\n")
    answer = await client.answer()
    assert (answer.body, answer.whole) == (b"half", False)
    await until_running(server, 0)
    client.writer.transport.abort()


async def test_a_response_that_is_not_taken_over_tls_is_cut_and_ends_its_guest(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    settings = {"HTTP_TLS_CERT": str(certificate), "HTTP_TLS_KEY": str(key), "QWASR_BODY_IDLE_S": "0.5"}
    server = await serve(guests.guest(guests.FLOOD), **settings)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", server.port))
    small.setblocking(False)
    client = RawClient(
        *await asyncio.open_connection(sock=small, ssl=trusting(certificate), server_hostname="localhost", limit=4096)
    )
    await client.send(GET)
    await until_running(server, 1)
    await until_running(server, 0)
    client.writer.transport.abort()


async def test_a_head_that_is_not_completed_over_tls_is_a_408(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    settings = {"HTTP_TLS_CERT": str(certificate), "HTTP_TLS_KEY": str(key), "QWASR_HTTP_HEAD_TIMEOUT_S": "0.2"}
    client = await over_tls(await serve(HELLO, **settings), certificate)
    await client.send(GET[:10])
    assert (await client.answer()).status == 408
    assert await client.closed()


async def test_an_idle_connection_over_tls_is_closed_when_its_time_is_up(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    settings = {"HTTP_TLS_CERT": str(certificate), "HTTP_TLS_KEY": str(key), "QWASR_HTTP_KEEP_ALIVE_S": "1"}
    client = await over_tls(await serve(HELLO, **settings), certificate)
    await client.send(GET)
    assert (await client.answer()).body == b"hello"
    async with asyncio.timeout(5):
        assert await client.closed()
    client.writer.transport.abort()


async def test_a_client_that_never_ends_its_handshake_is_cut(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwasr_http.listening._HANDSHAKE_S", 0.3)
    certificate, key = make_certificate(tmp_path, "one")
    server = await serve(HELLO, HTTP_TLS_CERT=str(certificate), HTTP_TLS_KEY=str(key))
    client = await connect(server)
    await client.send(b"\x16\x03\x01")  # the first bytes of one
    async with asyncio.timeout(5):
        assert await client.closed()
    assert await hello(await over_tls(server, certificate)) == b"hello"


@contextlib.asynccontextmanager
async def process(folder: Path, **environ: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], int]]:
    """A `qwasr run` of its own, and its port."""
    (folder / "guest.wasm").write_bytes(HELLO)
    own = {"HTTP_ADDR": "127.0.0.1:0", "QWASR_CACHE_DIR": "off", "PYTHONUNBUFFERED": "1", "QWASR_SHUTDOWN_S": "1"}
    words = [sys.executable, "-m", "qwasr.cli", "run", str(folder / "guest.wasm")]
    with (folder / "stdout").open("wb") as stdout:
        running = await asyncio.to_thread(subprocess.Popen, words, env={**os.environ, **own, **environ}, stdout=stdout)
    try:
        async with asyncio.timeout(30):
            found = None
            while found is None:
                assert running.poll() is None, "it did not start"
                await asyncio.sleep(0.02)
                found = re.search(rb"https://[0-9.]+:(\d+)", (folder / "stdout").read_bytes())
        yield running, int(found[1])
    finally:
        running.terminate()
        await asyncio.to_thread(running.wait)


@pytest.mark.parametrize("workers", [1, 2])
async def test_sighup_puts_a_new_certificate_into_service_and_connections_stand(tmp_path: Path, workers: int) -> None:
    one, key = make_certificate(tmp_path, "one")
    other, other_key = make_certificate(tmp_path, "other")
    settings = {"HTTP_TLS_CERT": str(one), "HTTP_TLS_KEY": str(key), "QWASR_WORKERS": str(workers)}
    old = tmp_path / "old.pem"
    old.write_bytes(one.read_bytes())
    async with process(tmp_path, **settings) as (running, port):
        before = await over_tls(port, old)
        await before.send(GET)
        assert (await before.answer()).body == b"hello"
        os.replace(other_key, key)  # noqa: PTH105 - as an operator does
        os.replace(other, one)  # noqa: PTH105
        running.send_signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while True:
                try:
                    client = await over_tls(port, one)
                except ssl.SSLCertVerificationError:  # the old one still
                    await asyncio.sleep(0.05)
                else:
                    break
        assert await hello(client) == b"hello"
        if workers == 1:  # else it went with its worker, as idle ones do
            await before.send(GET)
            assert (await before.answer()).body == b"hello"
        before.writer.transport.abort()
    assert running.returncode == 0
