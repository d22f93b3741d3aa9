"""Causes as real sockets, files and databases bring them about, and as client libraries wrap and word them."""

from __future__ import annotations

import asyncio
import errno
import http.server
import socket
import sqlite3
import ssl
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.diagnosis import HINTS, diagnose
from qwasr.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path


@pytest.fixture
async def server() -> AsyncIterator[Callable[..., Any]]:
    """Start a server that does to its clients what it is told; gives its port."""
    servers: list[asyncio.Server] = []

    async def start(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield start
    for one in servers:
        one.close()


async def failure(attempt: Awaitable[Any]) -> Exception:
    """What an attempt raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        await attempt
    return caught.value


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"-ERR this is no TLS\r\n")
    writer.close()


async def test_nobody_listens() -> None:
    with socket.socket() as bound:  # and never listening, so that nobody else does
        bound.bind(("127.0.0.1", 0))
        assert diagnose(await failure(asyncio.open_connection(*bound.getsockname()))) == "refused"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems word it in other ways")
async def test_a_host_that_there_is_no_way_to() -> None:
    to_many = ("224.0.0.1", 80)  # where no connection can lead, whatever the routes are
    assert diagnose(await failure(asyncio.open_connection(*to_many))) == "unreachable"


async def test_a_name_that_does_not_exist() -> None:
    assert diagnose(await failure(asyncio.open_connection("service.invalid", 80))) == "name"


async def test_a_port_without_tls_answers_a_client_with_tls(server: Any) -> None:
    port = await server(babble)
    error = await failure(asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context()))
    assert diagnose(error) == "tls"


async def test_the_service_hangs_up(server: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await server(hang_up))
    assert diagnose(await failure(reader.readexactly(1))) == "closed"
    writer.close()


async def test_nothing_answers(server: Any) -> None:
    answered = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answered.wait()
        writer.close()

    reader, writer = await asyncio.open_connection("127.0.0.1", await server(say_nothing))
    assert diagnose(await failure(asyncio.wait_for(reader.read(), 0.05))) == "timeout"
    answered.set()
    writer.close()


async def test_a_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    assert diagnose(await failure(asyncio.open_unix_connection(str(tmp_path / "absent")))) == "missing"


def test_a_database_file_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "absent" / "a.db")
    assert diagnose(caught.value) == "missing"


def test_a_database_file_that_may_only_be_read(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    database = sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("create table t (a)")
    database.close()
    assert diagnose(caught.value) == "permission"


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(int(self.path[1:]))

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Refusing) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(("status", "cause"), [(401, "authentication"), (403, "permission"), (404, "missing")])
def test_a_service_behind_http_refuses(web: str, status: int, cause: str) -> None:
    with pytest.raises(urllib.request.HTTPError) as caught:
        urllib.request.urlopen(f"{web}/{status}")
    caught.value.close()
    assert diagnose(caught.value) == cause


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("AuthenticationError", "invalid username-password pair or user is disabled.", "authentication"),
        ("ResponseError", "WRONGPASS invalid username-password pair", "authentication"),
        ("InvalidPasswordError", "", "authentication"),
        ("NoPermissionError", "this user has no permissions to run the 'get' command", "permission"),
        ("ClientError", "An error occurred (AccessDenied)", "permission"),
        ("ResponseError", "DB index is out of range", "missing"),
        ("NoSuchBucket", "", "missing"),
        ("NotFoundError", "nats: stream not found", "missing"),
        ("KafkaConnectionError", "Connection at broker:9092 closed", "closed"),
        ("SSLCertVerificationError", "", "tls"),
        ("ServiceError", "something else", "other"),
    ],
)
def test_client_libraries_are_read_by_their_names_and_words(name: str, text: str, cause: str) -> None:
    assert diagnose(type(name, (Exception,), {})(text)) == cause


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ({"sqlstate": "28P01"}, "authentication"),
        ({"sqlstate": "3D000"}, "missing"),
        ({"sqlstate": "42501"}, "permission"),
        ({"status": 403}, "permission"),
        ({"code": "403"}, "other"),
    ],
)
def test_codes_that_errors_carry_are_read(attributes: dict[str, Any], cause: str) -> None:
    error = Exception()
    vars(error).update(attributes)
    assert diagnose(error) == cause


def test_the_cause_is_found_behind_exceptions_that_hide_it() -> None:
    def connect() -> None:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        except OSError:
            raise BackendError("the shelf does not open") from None

    with pytest.raises(BackendError) as caught:
        connect()
    assert diagnose(ExceptionGroup("several", [Exception(caught.value)])) == "refused"


def test_giving_up_after_a_while_is_not_the_cause_where_another_is_known() -> None:
    error = TimeoutError()
    error.__context__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert diagnose(error) == "refused"


def test_exceptions_that_go_in_circles_come_to_an_end() -> None:
    first, second = Exception("a"), Exception("b")
    first.__context__, second.__context__ = second, first
    assert diagnose(first) == "other"


def test_every_cause_has_a_hint() -> None:
    for hint in HINTS.values():
        assert "{" not in hint.format(address="SHELF_URL")
