"""A real `qwasr run` as a process of its own, perhaps with workers: its memory can be read and its log searched."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

MIB = 1024 * 1024
_START_S = 30.0
_ADDRESS = re.compile(rb"at https?://([0-9.]+):(\d+)")


@dataclass(frozen=True)
class Served:
    """One process, or one with workers.

    Attributes:
        process: the process.
        port: where it listens on 127.0.0.1.
        folder: where its standard output and error are written.
        tls: the settings of clients, when it is served over TLS.
        workers: how many processes serve; 0 when it does so itself.
    """

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    tls: ssl.SSLContext | None = None
    workers: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        """What it wrote to standard error so far."""
        return (self.folder / "stderr").read_text(errors="replace")

    def serving(self) -> list[int]:
        """The processes that serve."""
        if not self.workers:
            return [self.process.pid]
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def memory_bytes(self) -> int:
        """The resident memory now, of the largest that serves."""
        return max(_status(pid, "VmRSS") for pid in self.serving())

    def peak_memory_bytes(self) -> int:
        """The most resident memory that one of them ever had."""
        return max(_status(pid, "VmHWM") for pid in self.serving())

    def open_files(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.serving())

    async def until_closed(self, files: int) -> None:
        """Wait until so many files are open and no more: a socket that closes tells no one."""
        async with asyncio.timeout(10):
            while self.open_files() > files:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)

    async def until_all_serve(self) -> None:
        """Wait for the workers after the first."""
        while not await asyncio.to_thread(self._all_serve):  # noqa: ASYNC110 - they tell no one
            await asyncio.sleep(0.05)

    def _all_serve(self) -> bool:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.folder / "admin"))
            one.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            with one.makefile("rb") as answer_file:
                return b"qwasr_workers_ready %d\n" % self.workers in answer_file.read()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)
        self._writers.append(writer)
        return reader, writer

    async def disconnect(self) -> None:
        """Cut every connection that is still there."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.001)  # a transport closes its socket in a later turn of the loop

    async def ask(self, target: str, *, timeout_s: float = 20.0) -> tuple[int, bytes]:
        """Send a GET on a connection of its own; return status and body, or ``(0, b"")`` when it was cut."""
        return await self.send(
            b"GET %b HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n" % target.encode(), timeout_s
        )

    async def send(self, data: bytes, timeout_s: float = 20.0) -> tuple[int, bytes]:
        """Send bytes on a connection of their own and read one answer as `ask` does."""
        async with asyncio.timeout(timeout_s):
            reader, writer = await self.connect()
            try:
                writer.write(data)
                return await answer(reader)
            finally:
                writer.transport.abort()


def _status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer, whatever informs of it; the status is 0 when the connection was cut before its end."""
    status = 100
    try:
        while 100 <= status < 200:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = int(head.split(b" ")[1])
        if b"transfer-encoding: chunked" in head:
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
            return status, body
        length = re.search(rb"content-length: (\d+)", head)
        return status, await reader.readexactly(int(length[1])) if length else b""
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return 0, b""


@contextlib.contextmanager
def serve(
    component: Path, folder: Path, workers: int = 0, tls: ssl.SSLContext | None = None, /, **environ: str
) -> Iterator[Served]:
    """Run a component in a process of its own until the block ends; it has to end well when it is told to.

    Args:
        component: the file.
        folder: an empty folder for what the process writes.
        workers: how many processes serve; 0 for the process itself.
        tls: the settings of clients, when variables say that TLS is served.
        **environ: variables.

    Raises:
        AssertionError: it did not listen, or its exit status is not 0.
    """
    own = {"HTTP_ADDR": "127.0.0.1:0", "QWASR_SHUTDOWN_S": "1", "QWASR_CACHE_DIR": "off", "PYTHONUNBUFFERED": "1"}
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the process inherits it, and has many clients
    if workers:
        own |= {"QWASR_WORKERS": str(workers), "ADMIN_ADDR": f"unix:{folder / 'admin'}"}
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("qwasr"), "run", component],
            env=os.environ | own | environ,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Served(process, _port(process, folder), folder, tls, workers)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.returncode == 0, (folder / "stderr").read_text(errors="replace")[-4000:]


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    ends_s = time.monotonic() + _START_S
    while time.monotonic() < ends_s and process.poll() is None:
        if found := _ADDRESS.search((folder / "stdout").read_bytes()):
            return int(found[2])
        time.sleep(0.02)
    raise AssertionError((folder / "stderr").read_text(errors="replace"))
