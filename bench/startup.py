"""Section 4: from the start of `qwasr run` to its first answer, with an empty cache and with a filled one."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from bench.http import GUESTS, ours
from bench.processes import Failed, environment, server
from bench.report import Cell, Table
from tools.ports import free_port

_COLUMNS: Final = ["guest", "qwasr, cold s", "qwasr, warm s", "wasmtime serve, cold s"]
_COLD_STARTS: Final = {"hello-c": 3}  # of a large guest one takes seconds
_WARM_STARTS: Final = 5


def measure(guests: Path) -> Table:
    """Return the table.

    Args:
        guests: the folder of built guests.
    """
    table = Table("Start-up: from the command to the first answer", list(_COLUMNS))
    for name, what in GUESTS:
        component = guests / f"{name}.wasm"
        if name == "hello-rust":
            continue
        if not component.exists():
            table.notes.append(f"no figures of the guest in {what}: it is not built")
            continue
        try:
            if not table.rows:  # not measured: Python may have to compile our own modules, once
                with _cache() as folder:
                    _start(ours(component), QWASR_CACHE_DIR=folder)
            table.rows.append(_row(component, what, _COLD_STARTS.get(name, 1)))
        except Failed as failure:
            table.notes.append(f"no figures of the guest in {what}: {failure}")
    table.notes.append(f"medians; cold: an empty cache; warm: {_WARM_STARTS} starts with a filled one; all cores")
    return table


def _row(component: Path, what: str, cold_starts: int) -> list[Cell]:
    cold = []
    for _ in range(cold_starts):
        with _cache() as folder:
            cold.append(_start(ours(component), QWASR_CACHE_DIR=folder))
    with _cache() as folder:
        _start(ours(component), QWASR_CACHE_DIR=folder)
        warm = [_start(ours(component), QWASR_CACHE_DIR=folder) for _ in range(_WARM_STARTS)]
    peer = None
    if (wasmtime := shutil.which("wasmtime")) is not None:
        peer = median(_start([wasmtime, "serve", "-C", "cache=n", "-S", "cli", component]) for _ in range(cold_starts))
    return [what, median(cold), median(warm), peer]


@contextmanager
def _cache() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="qwasr-bench-") as folder:
        yield folder


def _start(command: list[str | Path], **variables: str) -> float:
    port = free_port()
    if "serve" in command:
        command = [*command[:-1], "--addr", f"127.0.0.1:{port}", command[-1]]
    env = environment(HTTP_ADDR=f"127.0.0.1:{port}", **variables)
    began = time.perf_counter()
    with server(command, port, env=env, core=None):
        return time.perf_counter() - began
