"""A large object takes no more memory than a small one, whichever way it goes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.guests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_MIB = 8  # a quarter of what a gibibyte may take


@pytest.mark.parametrize(("what", "size_mib"), [("carry", 256), ("write", 40)])
def test_memory_does_not_grow_with_an_object(tmp_path: Path, what: str, size_mib: int) -> None:
    command = [
        sys.executable,
        "-m",
        "interfaces.blobstore.tests.growth",
        str(tmp_path / "store"),
        what,
        "1",
        str(size_mib),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert not ended.returncode, ended.stderr
    small, large = map(float, ended.stdout.split())
    assert large - small <= LIMIT_MIB
