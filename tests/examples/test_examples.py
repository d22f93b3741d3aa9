"""Every example, run by the command in its README."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.examples.serving import COLD_START_S, documented_command, served
from tools.guests import ROOT, discover

pytestmark = pytest.mark.timeout(COLD_START_S + 60)
GuestPath = Callable[[str], Path]
EXAMPLES = sorted(name for name, guest in discover().items() if guest.folder.parent.name == "examples")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readme_of_an_example_is_three_lines_and_names_the_command(name: str) -> None:
    assert len((ROOT / "examples" / name / "README.md").read_text().splitlines()) == 3
    assert documented_command(name) == ["run", f"build/guests/{name}.wasm"]


async def test_the_http_guest_greets(guest_path: GuestPath) -> None:
    guest_path("http")
    async with served("http") as client, client.get("/") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/plain"
        assert await response.text() == "Hello from Python\n"


async def test_the_http_guest_echoes_a_body_larger_than_any_buffer(guest_path: GuestPath) -> None:
    guest_path("http")
    body = os.urandom(1_000_000)
    async with served("http") as client, client.post("/echo", data=body, headers={"content-type": "a/b"}) as response:
        assert response.headers["content-type"] == "a/b"
        assert await response.read() == body


async def test_the_http_guest_echoes_a_part_before_the_next_is_sent(guest_path: GuestPath) -> None:
    guest_path("http")
    echoed = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await echoed.wait()
        yield b"second"

    async with served("http") as client, client.post("/echo", data=parts()) as response:
        assert await response.content.readexactly(5) == b"first"
        echoed.set()
        assert await response.read() == b"second"


async def test_the_http_guest_streams_lines_while_it_runs(guest_path: GuestPath) -> None:
    guest_path("http")
    async with served("http") as client, client.get("/stream") as response:
        assert await response.content.readline() == b"line 1\n"
        began_s = time.monotonic()
        assert await response.text() == "line 2\nline 3\nline 4\nline 5\n"
        assert time.monotonic() - began_s > 0.1


async def test_the_http_guest_knows_no_other_page(guest_path: GuestPath) -> None:
    guest_path("http")
    async with served("http") as client, client.get("/elsewhere") as response:
        assert response.status == 404


async def test_the_keyvalue_guest_counts_its_visitors(guest_path: GuestPath) -> None:
    guest_path("keyvalue")
    async with served("keyvalue") as client:
        answers = [await (await client.get("/")).text() for _ in range(3)]
    assert answers == ["visitor 1\n", "visitor 2\n", "visitor 3\n"]


async def test_the_keyvalue_guest_keeps_what_it_is_given_until_it_is_deleted(guest_path: GuestPath) -> None:
    guest_path("keyvalue")
    async with served("keyvalue") as client:
        assert (await client.get("/colour")).status == 404
        assert (await client.put("/colour", data=b"blue")).status == 204
        assert await (await client.get("/colour")).read() == b"blue"
        assert (await client.delete("/colour")).status == 204
        assert (await client.get("/colour")).status == 404


async def test_the_c_guest_greets(guest_path: GuestPath) -> None:
    guest_path("hello-c")
    async with served("hello-c") as client, client.get("/") as response:
        assert response.headers["content-type"] == "text/plain"
        assert await response.text() == "Hello from C\n"


async def test_the_rust_guest_greets_whom_the_path_names(guest_path: GuestPath) -> None:
    guest_path("hello-rust")
    async with served("hello-rust") as client:
        assert await (await client.get("/")).text() == "Hello from Rust\n"
        assert await (await client.get("/Ada")).text() == "Hello Ada from Rust\n"


def test_the_command_guest_counts_what_it_reads(guest_path: GuestPath) -> None:
    guest_path("commands")
    qwasr = Path(sys.executable).with_name("qwasr")
    words = [str(qwasr), *documented_command("commands")]
    done = subprocess.run(words, input=b"one\ntwo three\n", capture_output=True, cwd=ROOT, check=True, timeout=60)
    assert done.stdout.split() == [b"2", b"3", b"14"]
