"""A static file server in C, as a guest with sockets and a folder, answers as its native build does."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.commands.tools import reads
from tools.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.commands.tools import Tools

BIG = bytes(range(256)) * 2000

REQUESTS = [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"HEAD /index.html HTTP/1.1\r\n\r\n",
    b"GET /sub HTTP/1.1\r\n\r\n",
    b"GET /sub/a%20b.txt?query HTTP/1.1\r\n\r\n",
    b"GET /big.bin HTTP/1.0\r\n\r\n",
    b"GET /absent HTTP/1.1\r\n\r\n",
    b"GET /../secret HTTP/1.1\r\n\r\n",
    b"GET /%2e%2e/secret HTTP/1.1\r\n\r\n",
    b"GET /sub/link HTTP/1.1\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n",
]


@pytest.fixture
def files(tools: Tools) -> Path:
    (tools.folder / "sub").mkdir()
    (tools.folder / "index.html").write_bytes(b"<h1>hello</h1>\n")
    (tools.folder / "big.bin").write_bytes(BIG)
    (tools.folder / "sub" / "a b.txt").write_bytes(b"text\n")
    (tools.folder / "sub" / "z.json").write_bytes(b"{}")
    (tools.folder / "sub" / "link").symlink_to("../index.html")
    return tools.folder


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def served(process: subprocess.Popen[bytes], port: int) -> list[bytes]:
    with process:
        try:
            reads(process, b"listening on %d\n" % port)
            answers = [ask(port, request) for request in REQUESTS]
            assert process.wait(10) == 0
        finally:
            process.kill()
    return answers


def test_a_file_server_answers_as_its_native_build(
    tools: Tools, files: Path, native_path: Callable[[str], Path]
) -> None:
    count, port = str(len(REQUESTS)), free_port()
    native = subprocess.Popen(
        [native_path("file-server"), "-n", count, str(port), str(files)], stdout=subprocess.PIPE, bufsize=0
    )
    expected = served(native, port)
    assert [answer.split(b"\r\n")[0].split(b" ")[1:2] for answer in expected[:6]] == [[b"200"]] * 5 + [[b"404"]]
    assert expected[4].endswith(BIG)
    port = free_port()
    guest = tools.start("file-server", "-n", count, str(port), "/", QWASR_SOCKETS_ALLOW=f"listen:{port}")
    assert served(guest, port) == expected


def test_a_file_server_that_may_not_listen_says_so(tools: Tools) -> None:
    with tools.start("file-server", str(free_port()), "/") as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert b"cannot listen" in process.stderr.read()
