"""What a page shows of a terminal, typed again: `$` and a command, and below it what the command prints."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.guests import ROOT

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_CHANGES = re.compile(r" (-d|-T|-X|--data) ")
_DOCUMENTED = "127.0.0.1:8080"
PATIENCE_S = 10.0  # for an answer that depends on something that happens meanwhile


@dataclass(frozen=True)
class Step:
    """A command and what it prints."""

    command: str
    output: str


def transcripts(page: Path) -> list[list[Step]]:
    """Every terminal of a page."""
    blocks = ("\n" + block for block in _BLOCK.findall(page.read_text()))
    parts = ([part.partition("\n") for part in block.split("\n$ ")[1:]] for block in blocks)
    return [[Step(command, output.removesuffix("\n")) for command, _, output in steps] for steps in parts]


async def replay(steps: list[Step], address: str, patience_s: float = PATIENCE_S) -> None:
    """Types every command, with that address for the documented one, and compares what it prints.

    A command that only asks is repeated for a while until it prints what it should.

    Raises:
        AssertionError: it prints something else.
    """
    for step in steps:
        ends_s = time.monotonic() + patience_s
        printed = await _typed(step.command, address)
        while printed != step.output and not _CHANGES.search(step.command) and time.monotonic() < ends_s:
            await asyncio.sleep(0.05)
            printed = await _typed(step.command, address)
        assert printed == step.output, f"$ {step.command}"


async def _typed(command: str, address: str) -> str:
    qwasr = Path(sys.executable).with_name("qwasr")
    text = command.replace(_DOCUMENTED, address).replace(".venv/bin/qwasr", str(qwasr))
    process = await asyncio.create_subprocess_shell(
        text, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, said = await process.communicate()
    assert process.returncode == 0, f"$ {command}\n{said.decode()}"
    return output.decode().removesuffix("\n")
