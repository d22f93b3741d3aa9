"""Where the programs of services are, and what a test does without them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, NoReturn

import pytest

CACHE: Final = Path(__file__).resolve().parents[2] / "build" / "services" / "bin"


def find(program: str) -> str | None:
    """Return the path of a program on the PATH or in the project's own cache."""
    return shutil.which(program) or shutil.which(program, path=str(CACHE))


def need(program: str, how: str) -> str:
    """Return the path of a program, or skip the test; with `CI` set, fail it.

    Args:
        program: its name.
        how: what to do to have it.
    """
    found = find(program)
    if found is None:
        missing(f"{program} is neither on the PATH nor in build/services/bin: {how}")
    return found


def missing(reason: str) -> NoReturn:
    """Skip the test with a reason; with `CI` set, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
