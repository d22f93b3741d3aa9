from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.admin import AdminServer
from qwasr.errors import ConfigurationError, ServeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Reports:
    """What a supervisor would say."""

    def __init__(self) -> None:
        self.ready = True
        self.broken = False

    async def metrics(self) -> str:
        if self.broken:
            raise ValueError("a bug, with a secret")
        return "qwasr_workers 2\n"

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        return self.ready, {"ready": self.ready, "problems": []}


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def admin(reports: Reports) -> AsyncIterator[AdminServer]:
    server = await AdminServer.start("127.0.0.1:0", reports)
    yield server
    await server.close()


async def ask(admin: AdminServer, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", admin.port)
    try:
        writer.write(request)
        return (await reader.read()).decode()
    finally:
        writer.close()


async def get(admin: AdminServer, path: str) -> str:
    return await ask(admin, f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())


async def test_live_is_answered(admin: AdminServer) -> None:
    assert (await get(admin, "/health/live")).startswith("HTTP/1.1 200 OK\r\n")


async def test_metrics_have_the_content_type_that_prometheus_asks_for(admin: AdminServer) -> None:
    answer = await get(admin, "/metrics")
    assert "content-type: text/plain; version=0.0.4" in answer
    assert answer.endswith("\r\n\r\nqwasr_workers 2\n")


async def test_not_ready_is_503_with_the_explanation(admin: AdminServer, reports: Reports) -> None:
    reports.ready = False
    answer = await get(admin, "/health/ready?verbose=1")
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"problems": []' in answer


async def test_another_path_is_404(admin: AdminServer) -> None:
    assert (await get(admin, "/admin")).startswith("HTTP/1.1 404 ")


async def test_another_method_is_405(admin: AdminServer) -> None:
    answer = await ask(admin, b"POST /metrics HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 405 ")
    assert "allow: GET, HEAD" in answer


async def test_head_has_no_body(admin: AdminServer) -> None:
    answer = await ask(admin, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert "content-length: 16\r\n" in answer
    assert answer.endswith("\r\n\r\n")


async def test_a_failure_is_500_and_says_nothing_of_itself(admin: AdminServer, reports: Reports) -> None:
    reports.broken = True
    answer = await get(admin, "/metrics")
    assert answer.startswith("HTTP/1.1 500 ")
    assert "secret" not in answer


async def test_a_head_that_is_too_long_gets_no_answer(admin: AdminServer) -> None:
    try:
        answer = await ask(admin, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n")
    except ConnectionError:
        answer = ""
    assert answer == ""
    assert (await get(admin, "/health/live")).startswith("HTTP/1.1 200 ")


async def test_an_address_that_is_taken_is_an_error(admin: AdminServer, reports: Reports) -> None:
    with pytest.raises(ServeError, match="ADMIN_ADDR"):
        await AdminServer.start(f"127.0.0.1:{admin.port}", reports)


async def test_a_unix_socket_is_an_address_too_and_gone_when_the_server_closes(
    reports: Reports, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    admin = await AdminServer.start(f"unix:{path}", reports)
    assert (admin.describe(), admin.port) == (f"unix:{path}", 0)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /health/live HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    with pytest.raises(ServeError, match="ADMIN_ADDR"):
        await AdminServer.start(f"unix:{path}", reports)
    await admin.close()
    assert not path.exists()


@pytest.mark.parametrize("address", ["9090", ":9090", "localhost", "a:b", "a:70000"])
async def test_what_is_no_address_is_an_error(address: str, reports: Reports) -> None:
    with pytest.raises(ConfigurationError, match="expected host:port"):
        await AdminServer.start(address, reports)
