"""The fixtures themselves: what is missing, what is started, and what the proxy does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.services import programs
from tests.services.proxy import Proxy
from tests.services.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
Servers = Callable[..., RedisServer]


def test_a_missing_program_skips_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no-such-server is neither.*: install it"):
        programs.need("no-such-server", "install it")


def test_a_missing_program_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match=r"no-such-server is neither.*: install it"):
        programs.need("no-such-server", "install it")


def test_a_variable_wins_over_a_private_server(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(redis_url): assert redis_url == 'redis://elsewhere'")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.services.plugin", "--rootdir", str(tmp_path)]
    environ = os.environ | {"REDIS_URL": "redis://elsewhere"}
    done = subprocess.run([*run, str(tmp_path)], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_a_program_in_the_projects_own_cache_is_found_when_there_is_none_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    program = tmp_path / "kept-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert programs.need("kept-server", "install it") == str(program)
    elsewhere = tmp_path / "path"
    elsewhere.mkdir()
    (elsewhere / "kept-server").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(elsewhere), prepend=os.pathsep)
    assert programs.need("kept-server", "install it") == str(elsewhere / "kept-server")


TWO_AT_ONCE = """
import pathlib, time
def use(at):
    at = pathlib.Path(at)
    at.mkdir()  # an error when the other one is here
    time.sleep(0.3)
    at.rmdir()
def test_one(redis_alone): use({at!r})
def test_other(redis_alone): use({at!r})
"""


def test_tests_that_share_a_service_run_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TWO_AT_ONCE.format(at=str(tmp_path / "here")))
    run = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "tests.services.plugin", "--rootdir", str(tmp_path)]
    environ = os.environ | {"REDIS_URL": "redis://elsewhere"}
    environ.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run([*run, str(tmp_path)], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout


def test_a_server_is_killed_and_answers_again_on_the_same_port(redis_server: Servers) -> None:
    server = redis_server(lasting=True)
    assert server.ask("SET", "key", "value") == b"+OK\r\n"
    server.kill()
    with pytest.raises(OSError, match="refused"):
        server.ask("PING")
    server.start()
    assert server.ask("GET", "key") == b"$5\r\nvalue\r\n"


def test_a_paused_server_does_not_answer_until_it_is_resumed(redis_server: Servers) -> None:
    server = redis_server()
    server.pause()
    with pytest.raises(TimeoutError):
        server.ask("PING")
    server.resume()
    assert server.ask("PING") == b"+PONG\r\n"


@pytest.fixture
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(100):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, patience_s: float = 20) -> bytes:
        self.writer.write(b"ping")
        return await asyncio.wait_for(self.reader.read(100), patience_s)


@pytest.fixture
async def client(echo: Proxy) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", echo.port))
    yield client
    client.writer.transport.abort()


async def test_the_proxy_passes_on(client: Client) -> None:
    assert await client.ask() == b"ping"


async def test_the_proxy_delays(echo: Proxy, client: Client) -> None:
    echo.delay_s = 0.05
    began_s = time.monotonic()
    assert await client.ask() == b"ping"
    assert time.monotonic() - began_s >= 0.1


async def test_the_proxy_stalls_and_flows_again(echo: Proxy, client: Client) -> None:
    echo.stall()
    with pytest.raises(TimeoutError):
        await client.ask(patience_s=0.3)
    echo.flow()
    assert await client.reader.read(4) == b"ping"


async def test_the_proxy_cuts(echo: Proxy, client: Client) -> None:
    await client.ask()
    await echo.cut()
    assert await client.reader.read(1) == b""


async def test_the_proxy_cuts_instead_of_an_answer(echo: Proxy, client: Client) -> None:
    echo.cut_answers(after=1)
    assert await client.ask() == b"ping"
    assert await client.ask() == b""


async def test_the_proxy_refuses_and_accepts_again(echo: Proxy) -> None:
    await echo.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", echo.port)
    await echo.accept()
    _, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    writer.transport.abort()
