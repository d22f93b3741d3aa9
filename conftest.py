"""What the tests of every distribution share: the example guests, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.guests import CACHE, discover
from tools.languages import MissingTool

pytest_plugins = ["tests.services.plugin"]

# One for all tests, and the one that `make guests` fills: compiling a guest in Python takes seconds of both cores.
os.environ.setdefault("QWASR_CACHE_DIR", str(CACHE))


@pytest.fixture(scope="session")
def guest_path() -> Callable[[str], Path]:
    """Gives the built component of a guest: `guest_path("http")` is `build/guests/http.wasm`, brought up to date.

    Where the language's tools are missing the test is skipped with the reason; when `CI` is set it fails.
    """
    guests = discover()
    built: dict[str, Path] = {}

    def path(name: str) -> Path:
        if name not in built:
            try:
                guests[name].build()
            except MissingTool as error:
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"the guest {name} cannot be built here: {error}")
            built[name] = guests[name].component
        return built[name]

    return path
