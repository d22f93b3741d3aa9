"""A large object takes no more memory than a small one, whichever way it goes; `make bench` does it with a gibibyte."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.guests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SMALL_MIB = 4  # enough to fill every buffer once
LIMIT_MIB = 16  # half of what a gibibyte may take, and less than half of the smallest object below


@pytest.mark.parametrize(
    ("store", "what", "size_mib"),
    [
        ("folder", "carry", 512),
        ("folder", "write-first", 40),
        ("folder", "write-last", 40),
        ("folder", "read", 64),
        ("memory", "carry", 128),  # besides the objects themselves
    ],
)
def test_memory_does_not_grow_with_an_object(tmp_path: Path, store: str, what: str, size_mib: int) -> None:
    command = [
        sys.executable,
        "-m",
        "interfaces.blobstore.tests.growth",
        "memory" if store == "memory" else str(tmp_path / "store"),
        what,
        str(SMALL_MIB),
        str(size_mib),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert not ended.returncode, ended.stderr
    small, large = map(float, ended.stdout.split())
    assert large - small <= LIMIT_MIB
