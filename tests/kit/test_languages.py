"""Guests in other languages are tested as those in Python are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qwasr.testing import Guest

GREETINGS = [("hello-c", "/", "Hello from C\n"), ("hello-rust", "/Ada", "Hello Ada from Rust\n")]


@pytest.mark.parametrize(("name", "path", "greeting"), GREETINGS)
async def test_it_greets(guest_path: Callable[[str], Path], name: str, path: str, greeting: str) -> None:
    async with Guest(guest_path(name)) as guest:
        assert (await guest.get(path)).text == greeting
