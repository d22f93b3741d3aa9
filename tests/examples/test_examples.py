"""Every example, run by the command in its README."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.examples.serving import COLD_START_S, documented_command, running, served
from tests.examples.transcripts import replay, transcripts
from tools.guests import ROOT, discover

pytestmark = pytest.mark.timeout(COLD_START_S + 60)
GuestPath = Callable[[str], Path]
EXAMPLES = sorted(name for name, guest in discover().items() if guest.folder.parent.name == "examples")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readme_of_an_example_says_what_it_is_and_how_it_is_run(name: str) -> None:
    title, empty, command, *_ = (ROOT / "examples" / name / "README.md").read_text().splitlines()
    assert title.startswith(f"# {name}: ")
    assert not empty
    assert command.startswith("Run it: `make guests && ")
    assert documented_command(name).arguments[-1] == f"build/guests/{name}.wasm"


@pytest.mark.parametrize("name", ["messaging", "blobstore", "sql", "vault"])
def test_the_python_guest_of_one_interface_is_short(name: str) -> None:
    assert len((ROOT / "examples" / name / "app.py").read_text().splitlines()) <= 60


@pytest.fixture
def curl() -> None:
    """The pages show commands with curl; without it their tests are skipped, and fail when `CI` is set."""
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is not on the PATH"
        pytest.skip("curl is not on the PATH")


@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_prints_what_its_readme_shows(name: str, guest_path: GuestPath) -> None:
    guest_path(name)
    (shown,) = transcripts(ROOT / "examples" / name / "README.md")
    if name == "commands":
        await replay(shown, "")
    else:
        async with running(name) as example:
            await replay(shown, example.address)


@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize(("name", "first"), [("keyvalue", 0), ("shop", 2)])
async def test_an_example_prints_what_the_first_page_shows(name: str, first: int, guest_path: GuestPath) -> None:
    guest_path(name)
    started, asked = transcripts(ROOT / "README.md")[first : first + 2]
    async with running(name) as example:
        await replay(asked, example.address)
        printed = "".join(example.printed).replace(example.address, "127.0.0.1:8080").splitlines()
    shown = "\n".join(step.output for step in started).strip().splitlines()
    assert [line for line in shown if line.strip() != "…" and line not in printed] == []


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
