"""The guests of `examples/`, built first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def guest_component(request: pytest.FixtureRequest, guest_path: Callable[[str], Path]) -> Path:
    """The example that a test file names in `EXAMPLE`."""
    return guest_path(request.module.EXAMPLE)
