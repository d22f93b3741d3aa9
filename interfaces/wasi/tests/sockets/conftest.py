from __future__ import annotations

import asyncio
import gc
import importlib.util
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interfaces.wasi.tests.sockets.guest_side import Guest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test on asyncio's own loop and, where there is one, on the loop that serves in earnest."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> str:
    if request.param == "ipv6" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    return str(request.param)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    if not sys.platform.startswith("linux"):
        yield
        return
    before = _open_sockets()
    yield
    if _open_sockets() - before:
        gc.collect()  # a test's own, in a cycle; one that was forgotten warns, which is an error
    assert not _open_sockets() - before


def _open_sockets() -> set[str]:
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # the folder's own descriptor
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    """A guest that may do everything on this machine."""
    guest = Guest("connect:127.0.0.0/8:*", "connect:[::1]:*", "listen:*", "resolve:*")
    yield guest
    await guest.leave()
