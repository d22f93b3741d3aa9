"""Section 5: what endless guests do to a small one, and what a waiting guest costs in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from bench.processes import ROOT, environment
from bench.report import Cell, Table

_ENDLESS: Final = (32, 256)
_WAITING: Final = (1000, 5000)
_LIMIT_S: Final = 120


def measure() -> Table:
    """Return the table."""
    table = Table("Many guests in one process", ["what", "figure", "unit"])
    for count in _ENDLESS:
        figures = _run("endless", count)
        if isinstance(figures, str):
            table.notes.append(f"no figures of {count} endless guests: {figures}")
            continue
        if count == _ENDLESS[0]:
            table.rows += [
                _row("a small call alone, p50", figures, "alone_p50_ms"),
                _row("a small call alone, p99", figures, "alone_p99_ms"),
            ]
        table.rows += [
            _row(f"a small call beside {count} endless guests, p50", figures, "beside_p50_ms"),
            _row(f"a small call beside {count} endless guests, p99", figures, "beside_p99_ms"),
        ]
    for count in _WAITING:
        figures = _run("waiting", count)
        if isinstance(figures, str):
            table.notes.append(f"no figures of {count:,} waiting guests: {figures}")
        else:
            table.rows.append([f"resident memory of each of {count:,} waiting guests", figures["kib_per_guest"], "KiB"])
    table.notes.append("one tired guest runs in each turn of the event loop, for one epoch (10 ms)")
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
