from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.commands.tools import Native, Tools
from tools.guests import discover
from tools.languages import build_native

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def native_path(tmp_path_factory: pytest.TempPathFactory, guest_path: Callable[[str], Path]) -> Callable[[str], Path]:
    """Builds a guest's C sources for this machine; `native_path("cat")` is that program."""
    guests, folder = discover(), tmp_path_factory.mktemp("native")

    def path(name: str) -> Path:
        program = folder / name
        if not program.exists():
            guest_path(name)  # says what is missing, if something is
            build_native([one for one in guests[name].sources() if one.suffix == ".c"], program)
        return program

    return path


@pytest.fixture
def tools(guest_path: Callable[[str], Path], native_path: Callable[[str], Path], tmp_path: Path, cache: Path) -> Tools:
    """Runs tools both ways, in one folder: natively it is the working folder, and in the guest it is `/`."""
    folder = tmp_path / "files"
    folder.mkdir()
    return Tools(guest_path, native_path, folder, cache)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where components are kept compiled, for all tests of a run."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def native(native_path: Callable[[str], Path]) -> Native:
    """Runs a native build."""

    def run(name: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([native_path(name), *arguments], input=stdin, capture_output=True, check=False)

    return run
