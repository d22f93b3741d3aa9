"""Section 5: what endless guests do to a small one, and what a waiting guest costs in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from bench.processes import ROOT, environment
from bench.report import Cell, Table

_ENDLESS: Final = 32
_WAITING: Final = 1000
_LIMIT_S: Final = 120


def measure() -> Table:
    """Return the table."""
    table = Table("Many guests in one process", ["what", "figure", "unit"])
    endless, waiting = _run("endless", _ENDLESS), _run("waiting", _WAITING)
    if isinstance(endless, str):
        table.notes.append(f"no figures of endless guests: {endless}")
    else:
        table.rows += [
            _row("a small call alone, p50", endless, "alone_p50_ms"),
            _row("a small call alone, p99", endless, "alone_p99_ms"),
            _row(f"a small call beside {_ENDLESS} endless guests, p50", endless, "beside_p50_ms"),
            _row(f"a small call beside {_ENDLESS} endless guests, p99", endless, "beside_p99_ms"),
        ]
    if isinstance(waiting, str):
        table.notes.append(f"no figures of waiting guests: {waiting}")
    else:
        table.rows.append([f"resident memory of each of {_WAITING:,} waiting guests", waiting["kib_per_guest"], "KiB"])
    table.notes.append("one yielded guest runs in each turn of the event loop, for one epoch (10 ms)")
    return table


def _row(what: str, figures: dict[str, float], name: str) -> list[Cell]:
    return [what, figures[name], "ms"]


def _run(what: str, count: int) -> dict[str, float] | str:
    """Return the figures, or why there are none."""
    command = [sys.executable, "-m", "bench.crowd", what, str(count)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"no figures after {_LIMIT_S} s"
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}"
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
