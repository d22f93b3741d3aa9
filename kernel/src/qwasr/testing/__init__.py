"""Tests of guests and of plug-ins, without services, without a network, at a time of their own.

A test runs a component in its own process, on stand-ins that are plain Python objects. With pytest and pytest-asyncio
the fixture `guest` is there as soon as this package is installed::

    import pytest

    pytestmark = pytest.mark.guest("app.wasm")

    async def test_a_visit_is_counted(guest):
        response = await guest.get("/")
        assert response.text == "1"
        assert guest.keyvalue["visits"]["/"] == b"1"

Elsewhere `Guest` is an asynchronous context manager. `qwasr.testing.fakes` is for authors of interfaces, who write the
stand-ins. What is named here is imported when it is first used: every run of pytest imports this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwasr.testing.clock import Clock
    from qwasr.testing.fakes import Call, FakeBackend
    from qwasr.testing.guest import Guest, runtime_for_tests

__all__ = ["Call", "Clock", "FakeBackend", "Guest", "runtime_for_tests"]

_HOME = {
    "Call": "qwasr.testing.fakes",
    "Clock": "qwasr.testing.clock",
    "FakeBackend": "qwasr.testing.fakes",
    "Guest": "qwasr.testing.guest",
    "runtime_for_tests": "qwasr.testing.guest",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        message = f"module 'qwasr.testing' has no attribute {name!r}"
        raise AttributeError(message)
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
