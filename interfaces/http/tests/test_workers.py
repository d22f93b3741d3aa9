"""Several workers on one port, as processes: what clients and an operator see of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from interfaces.http.tests.http_guests import HELLO, SPIN, guest
from tools.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


WORKS_ON = guest(f"{HELLO} (call $sleep (i64.const 5000000000))", text="done")


class Served:
    """`qwasr run` with workers and an admin address."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, admin: int, output: Path) -> None:
        self.process = process
        self.port: int | Path = port
        self.admin: int | Path = admin
        self.output = output

    def workers(self) -> list[int]:
        """The processes of the workers that are not being started or drained."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    async def metrics(self) -> dict[str, float]:
        text = (await fetch(self.admin, "/metrics")).partition("\r\n\r\n")[2]
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def until_ready(self, count: int) -> Self:
        async def look() -> bool:
            with suppress(OSError):
                return (await self.metrics()).get("qwasr_workers_ready") == count
            return False

        await until(look)
        return self

    async def until_running(self, count: int) -> None:
        """Wait until so many calls run in all workers."""

        async def look() -> bool:
            return (await self.metrics())["qwasr_calls_running"] == count

        await until(look)

    async def until_restarted(self, times: int, count: int) -> None:
        """Wait until so many workers serve, after so many deaths."""

        async def look() -> bool:
            found = await self.metrics()
            return (found["qwasr_worker_restarts_total"], found["qwasr_workers_ready"]) == (times, count)

        await until(look)

    async def until_deaf(self) -> None:
        """Wait until no one listens."""

        port = self.port
        assert isinstance(port, int)

        async def look() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # it closes its socket in this moment
                return False
            writer.close()
            return False

        await until(look)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - other processes have no event of ours
            await asyncio.sleep(0.05)


async def fetch(port: int | Path, path: str = "/") -> str:
    """Ask at a port of this machine, or at a Unix socket."""
    if isinstance(port, int):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    else:
        reader, writer = await asyncio.open_unix_connection(port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
        return (await reader.read()).decode()
    finally:
        writer.close()


class Load:
    """Clients that each connect for every request, one after another."""

    def __init__(self, port: int | Path, clients: int) -> None:
        self.answers: Counter[str] = Counter()
        self._port = port
        self._clients = clients
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        while not self._stopped:
            try:
                answer = await fetch(self._port)
            except OSError as error:
                self.answers[type(error).__name__] += 1
            else:
                self.answers[answer[9:12] or "nothing"] += 1
            await asyncio.sleep(0.001)

    @property
    def lost(self) -> int:
        return sum(count for kind, count in self.answers.items() if kind != "200")


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """Serve a component by two workers; nothing of it is left when the test ends."""
    started: list[Served] = []
    pids: list[int] = []

    async def start(component: bytes, workers: int = 2, **variables: str) -> Served:
        path = tmp_path / "guest.wasm"
        path.write_bytes(component)
        port, admin = free_port(), free_port()
        keep = {name: value for name, value in os.environ.items() if not name.startswith("QWASR_")}
        environ = {
            **keep,
            "QWASR_CACHE_DIR": "off",
            "QWASR_CONCURRENCY": "16",
            "QWASR_LOG_LEVEL": "warning",
            "HTTP_ADDR": f"127.0.0.1:{port}",
            "ADMIN_ADDR": f"127.0.0.1:{admin}",
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        words = ["-m", "qwasr.cli", "run", "--workers", str(workers), str(path)]
        output = tmp_path / "stdout"
        with output.open("wb") as stdout:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *words, env=environ, stdout=stdout, stderr=subprocess.DEVNULL
            )
        served = Served(process, port, admin, output)
        if environ["ADMIN_ADDR"].startswith("unix:"):
            served.admin = Path(environ["ADMIN_ADDR"].removeprefix("unix:"))
        started.append(served)
        await served.until_ready(workers)
        pids.extend(served.workers())
        return served

    yield start
    for served in started:
        if served.process.returncode is None:
            pids.extend(served.workers())
            served.process.kill()
        await served.process.wait()

    async def gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await until(gone)


async def test_the_metrics_are_the_sum_over_workers(serve: Callable[..., object]) -> None:
    served = await start_hello(serve)
    answers = [await fetch(served.port) for _ in range(60)]
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in answers)
    found = await served.metrics()
    assert found['qwasr_requests_total{status="200"}'] == 60
    assert found["qwasr_request_seconds_count"] == 60
    assert found["qwasr_calls_slots"] == 32


async def start_hello(serve: Callable[..., object], **variables: str) -> Served:
    served = await serve(guest(HELLO, text="hello"), **variables)  # type: ignore[misc]  # a fixture's function
    assert isinstance(served, Served)
    return served


async def test_a_killed_worker_loses_only_its_own_requests_and_comes_back(serve: Callable[..., object]) -> None:
    served = await start_hello(serve)
    clients = 8
    async with Load(served.port, clients) as load:
        await asyncio.sleep(0.5)
        os.kill(served.workers()[0], signal.SIGKILL)
        await served.until_restarted(1, 2)
        lost = load.lost
        await asyncio.sleep(0.5)
        assert load.lost == lost, "requests are lost after the other worker has taken over"
    assert lost <= clients, load.answers
    found = await served.metrics()
    assert found["qwasr_worker_restarts_total"] == 1
    assert 'qwasr_requests_total{status="500"}' not in found


async def test_a_reload_replaces_every_worker_and_refuses_no_connection(serve: Callable[..., object]) -> None:
    served = await start_hello(serve)
    before = set(served.workers())
    async with Load(served.port, 4) as load:
        served.process.send_signal(signal.SIGHUP)

        async def replaced() -> bool:
            return not set(served.workers()) & before and len(served.workers()) == 2

        await until(replaced)
        await asyncio.sleep(0.3)
    assert set(load.answers) == {"200"}
    found = await served.metrics()
    assert found['qwasr_requests_total{status="200"}'] == load.answers["200"]
    assert found["qwasr_worker_restarts_total"] == 0


async def test_live_is_answered_while_every_worker_is_busy(serve: Callable[..., object]) -> None:
    served = await serve(guest(SPIN), QWASR_GUEST_TIMEOUT_S="20")  # type: ignore[misc]  # a fixture's function
    spinning = [asyncio.create_task(fetch(served.port)) for _ in range(12)]
    try:
        await served.until_running(12)
        times = []
        for _ in range(20):
            began = time.perf_counter()
            assert (await fetch(served.admin, "/health/live")).startswith("HTTP/1.1 200 ")
            times.append(time.perf_counter() - began)
        assert sorted(times)[10] < 1.0
        assert (await served.metrics())["qwasr_calls_running"] == 12
    finally:
        for task in spinning:
            task.cancel()
        await asyncio.wait(spinning)


async def test_sigterm_lets_requests_finish_in_every_worker(serve: Callable[..., object]) -> None:
    served = await serve(WORKS_ON)  # type: ignore[misc]  # a fixture's function
    running = [asyncio.create_task(fetch(served.port)) for _ in range(8)]
    await served.until_running(8)
    served.process.terminate()
    answers = await asyncio.gather(*running)
    assert all(re.match(r"HTTP/1.1 200 [\s\S]*done", answer) for answer in answers)
    assert await served.process.wait() == 0


async def test_a_second_sigterm_does_not_wait(serve: Callable[..., object]) -> None:
    limits = {"QWASR_GUEST_TIMEOUT_S": "60", "QWASR_GUEST_CPU_S": "60"}
    served = await serve(guest(SPIN), **limits)  # type: ignore[misc]  # a fixture's function
    spinning = [asyncio.create_task(fetch(served.port)) for _ in range(2)]
    await served.until_running(2)
    served.process.terminate()
    await served.until_deaf()
    began = time.monotonic()
    served.process.terminate()
    assert await served.process.wait() == 0
    assert time.monotonic() - began < 15
    await asyncio.wait(spinning)
    for task in spinning:
        task.exception()


async def test_no_one_listens_any_more_while_the_last_requests_finish(serve: Callable[..., object]) -> None:
    served = await serve(WORKS_ON)  # type: ignore[misc]  # a fixture's function
    running = asyncio.create_task(fetch(served.port))
    await served.until_running(1)
    served.process.terminate()
    await served.until_deaf()
    assert not running.done()
    assert (await running).endswith("done")


async def test_workers_share_a_unix_socket_through_a_death_and_a_reload(
    serve: Callable[..., object], tmp_path: Path
) -> None:
    path = tmp_path / "http.sock"
    served = await start_hello(serve, HTTP_ADDR=f"unix:{path}")
    served.port = path
    async with Load(path, 4) as load:
        for times in (1, 2):
            os.kill(served.workers()[0], signal.SIGKILL)
            await served.until_restarted(times, 2)
        lost = load.lost
        assert lost <= 8, "who has connected waits for the next worker, unless one had accepted it"
        before = set(served.workers())
        served.process.send_signal(signal.SIGHUP)

        async def replaced() -> bool:
            return not set(served.workers()) & before and len(served.workers()) == 2

        await until(replaced)
        assert load.lost == lost
    assert path.exists()
    served.process.terminate()
    assert await served.process.wait() == 0
    assert not path.exists()


async def test_a_free_port_is_one_port_for_all_workers(serve: Callable[..., object]) -> None:
    served = await start_hello(serve, HTTP_ADDR="127.0.0.1:0,127.0.0.1:0")
    ports = [
        int(port)
        for port in re.findall(r"http://127\.0\.0\.1:(\d+)", served.output.read_text())
        if int(port) != served.admin
    ]
    assert len(set(ports)) == 2
    for port in ports:
        async with Load(port, 4) as load:
            await asyncio.sleep(0.2)
        assert set(load.answers) == {"200"}
    first, second = served.workers()
    os.kill(first, signal.SIGKILL)
    assert (await fetch(ports[0])).startswith("HTTP/1.1 200 ")
    await served.until_ready(2)
    os.kill(second, signal.SIGKILL)
    assert (await fetch(ports[1])).startswith("HTTP/1.1 200 ")


async def test_one_worker_with_an_admin_address_may_have_both(serve: Callable[..., object], tmp_path: Path) -> None:
    path, admin = tmp_path / "http.sock", tmp_path / "admin.sock"
    served = await serve(  # type: ignore[misc]  # a fixture's function
        guest(HELLO, text="hello"), workers=1, HTTP_ADDR=f"unix:{path},127.0.0.1:0", ADMIN_ADDR=f"unix:{admin}"
    )
    assert f"unix:{admin}" in served.output.read_text()
    assert (await fetch(path)).endswith("hello")
    (before,) = served.workers()
    served.process.send_signal(signal.SIGHUP)

    async def replaced() -> bool:
        return served.workers() not in ([before], [])

    await until(replaced)
    await served.until_ready(1)
    assert (await fetch(path)).endswith("hello")
    served.process.terminate()
    assert await served.process.wait() == 0
    assert not path.exists()
    assert not admin.exists()
