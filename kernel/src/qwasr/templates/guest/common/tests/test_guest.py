"""The guest is built and answers, on stand-ins for everything that it imports: `guest.keyvalue` and the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_guest import build
from qwasr.testing import Guest


@pytest.fixture(scope="session")
def guest_component() -> Path:
    """The built component."""
    return build()


async def test_the_guest_greets(guest: Guest) -> None:
    response = await guest.get("/")
    assert (response.status, response.text) == (200, "Hello from LANGUAGE\n")
