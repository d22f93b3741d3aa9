"""Section 6: one worker and two, with a guest that computes more than the host around it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.http import ours
from bench.load import Load, generate, medians
from bench.machine import usable_cores
from bench.processes import Failed, environment, server
from bench.report import Table, ratio
from tools.ports import free_port

_GUEST: Final = "http"  # in Python: 1.5 ms a request, nearly all of them the guest's
_WORKERS: Final = (1, 2)
_CONNECTIONS: Final = 32
_ROUNDS: Final = 3


def measure(guests: Path, seconds: float) -> Table:
    """Return the table.

    Args:
        guests: the folder of built guests.
        seconds: how long one load lasts.
    """
    table = Table(
        "Workers: a CPU-bound guest (Python)", ["workers", "requests/s", "p50 ms", "p99 ms", "× one", "failed"]
    )
    component = guests / f"{_GUEST}.wasm"
    if not component.exists():
        table.notes.append("no figures: the Python guest is not built")
        return table
    one: Load | None = None
    for workers in _WORKERS:
        try:
            load = _load(component, workers, seconds)
        except Failed as failure:
            table.notes.append(f"no figures of {workers} workers: {failure}")
            continue
        one = one or load
        table.rows.append(
            [str(workers), load.per_s, load.p50_ms, load.p99_ms, ratio(load.per_s, one.per_s), str(load.failures)]
        )
    table.notes.append(
        f"{_CONNECTIONS} connections, medians of {_ROUNDS} loads; workers and load share {len(usable_cores())} cores"
    )
    return table


def _load(component: Path, workers: int, seconds: float) -> Load:
    port = free_port()
    env = environment(HTTP_ADDR=f"127.0.0.1:{port}", QWASR_WORKERS=str(workers))
    with server(ours(component), port, env=env, core=None) as process:
        return medians([generate(port, process.pid, _CONNECTIONS, seconds) for _ in range(_ROUNDS)])
