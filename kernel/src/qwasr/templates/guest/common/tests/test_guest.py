"""The guest is built and served, and answers."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from pathlib import Path

import pytest

from build_guest import build
from qwasr import Runtime


@pytest.fixture(scope="session")
def component() -> Path:
    """The built component."""
    return build()


async def test_the_guest_greets(component: Path) -> None:
    cache = os.environ.get("QWASR_CACHE_DIR") or str(component.parent / "build")  # compiling takes longer than all else
    environ = {"HTTP_ADDR": "127.0.0.1:0", "QWASR_CACHE_DIR": cache}
    async with Runtime(component, environ=environ) as runtime:
        await runtime.start()

        def ask() -> bytes:
            with urllib.request.urlopen(runtime.servers[0].describe(), timeout=10) as response:
                body: bytes = response.read()
                return body

        assert await asyncio.to_thread(ask) == b"Hello from LANGUAGE\n"
