"""`make soak` with a thousand calls of each kind: what it counts has to be the same before and after."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from soak.kinds import KINDS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
async def test_a_thousand_calls_leave_nothing_behind(name: str) -> None:
    command = ("-m", "soak", "--calls", "1000", "--one", name)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "| nothing |" in output.decode()
