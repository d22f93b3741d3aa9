"""A Python program with the standard library's `socket`, as a guest: TCP, UDP and names over the loopback."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.command import Command, run_command
from qwasr.runtime import Runtime
from qwasr_wasi.system import System, SystemOptions
from tools.guests import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

ECHO_PIECE_BYTES = 65536


@dataclass
class Program:
    """The guest, in one runtime.

    Attributes:
        system: the machine that it sees.
        printed: the file that its latest run prints to.
    """

    runtime: Runtime
    system: System
    printed: Any = field(default=None)

    async def run(self, *arguments: object) -> tuple[int, str]:
        """Return the exit code, and what was printed."""
        with tempfile.TemporaryFile() as out:
            self.printed = out
            command = Command(arguments=tuple(map(str, arguments)), stdout=out.fileno())
            code = await run_command(self.runtime.guest, command)
            return code, _text(out)

    def so_far(self) -> str:
        """What the latest run has printed."""
        return _text(self.printed)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


@pytest.fixture
def program(guest_path: Callable[[str], Path]) -> Any:
    """The guest with these rules; afterwards none of its sockets may be left."""

    @asynccontextmanager
    async def start(*allow: str) -> AsyncIterator[Program]:
        system = System(SystemOptions(sockets_allow=allow))
        environ = {"QWASR_CACHE_DIR": str(ROOT / "build" / "cache")}
        async with Runtime(guest_path("sockets"), backends={"wasi": system}, environ=environ) as runtime:
            yield Program(runtime, system)
            assert system.sockets.open_sockets == 0
        await system.close()

    return start


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """A server of somebody else, which answers what it gets; yields its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(ECHO_PIECE_BYTES):
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_tcp_client_gets_its_answer(program: Any) -> None:
    async with echo_server() as port, program(f"connect:127.0.0.1:{port}") as it:
        assert await it.run("fetch", "127.0.0.1", port) == (0, "hello from inside\n")


async def test_a_name_is_looked_up_and_connected_to(program: Any) -> None:
    async with echo_server() as port, program(f"connect:localhost:{port}") as it:
        assert await it.run("fetch", "localhost", port) == (0, "hello from inside\n")


async def test_megabytes_go_both_ways_at_once(program: Any) -> None:
    async with echo_server() as port, program(f"connect:127.0.0.1:{port}") as it:
        assert await it.run("flood", "127.0.0.1", port, 4_000_000) == (0, "4000000\n")


async def test_many_guests_have_connections_at_once(program: Any) -> None:
    async with echo_server() as port, program(f"connect:127.0.0.1:{port}") as it:
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(it.run("flood", "127.0.0.1", port, 100_000)) for _ in range(8)]
        assert {run.result()[0] for run in runs} == {0}


async def test_a_server_takes_its_clients_side_by_side(program: Any) -> None:
    async with program("listen:127.0.0.1:0") as it:
        serving = asyncio.create_task(it.run("serve", "127.0.0.1", 0, 2))
        port = await listening_port(it, serving)
        first = await asyncio.open_connection("127.0.0.1", port)
        second = await asyncio.open_connection("127.0.0.1", port)
        for number, (reader, writer) in enumerate((second, first, second)):
            data = b"%d" % number * 50_000
            writer.write(data)
            assert await reader.readexactly(len(data)) == data
        for _, writer in (first, second):
            writer.close()
            await writer.wait_closed()
        assert (await serving)[0] == 0


async def test_a_datagram_is_answered(program: Any) -> None:
    class Pong(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(b"pong to " + data, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Pong, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with program(f"connect:127.0.0.1:{port}/udp") as it:
        assert await it.run("udp", "127.0.0.1", port) == (0, f"pong to ping {port}\n")
    transport.close()


async def test_a_name_has_addresses(program: Any) -> None:
    async with program("resolve:localhost") as it:
        code, printed = await it.run("look-up", "localhost")
        assert code == 0
        assert "127.0.0.1" in printed.split()
        assert (await it.run("look-up", "example.org"))[0] == 1


@pytest.mark.parametrize("allow", [[], ["connect:127.0.0.1:1"], ["connect:*:*"], ["listen:*", "resolve:*"]])
async def test_what_no_rule_allows_is_not_permitted(program: Any, allow: list[str]) -> None:
    async with echo_server() as port, program(*allow) as it:
        code, printed = await it.run("fetch", "127.0.0.1", port)
        assert (code, printed.partition(":")[0]) == (1, "PermissionError")


async def test_a_refused_connection_is_pythons_own_error(program: Any) -> None:
    async with echo_server() as port:
        pass
    async with program("connect:127.0.0.1:*") as it:
        code, printed = await it.run("fetch", "127.0.0.1", port)
        assert (code, printed.partition(":")[0]) == (1, "ConnectionRefusedError")


async def test_a_guest_that_is_ended_leaves_no_socket(program: Any) -> None:
    async with program("listen:127.0.0.1:0") as it:
        serving = asyncio.create_task(it.run("serve", "127.0.0.1", 0, 2))
        reader, writer = await asyncio.open_connection("127.0.0.1", await listening_port(it, serving))
        writer.write(b"x")
        await reader.readexactly(1)
        assert it.system.sockets.open_sockets == 2
        serving.cancel()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def listening_port(it: Program, serving: asyncio.Task[Any]) -> int:
    """Return the port that the guest says it listens on."""
    async with asyncio.timeout(30):
        while not serving.done():
            if it.printed is not None and "\n" in it.so_far():
                return int(it.so_far().split()[-1])
            await asyncio.sleep(0.01)
    message = f"it ended: {serving.result()}"
    raise AssertionError(message)
