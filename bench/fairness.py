"""Section 5: what endless guests do to a small one and to `/health/live`, and what a waiting guest costs in memory."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.http import ours
from bench.processes import ROOT, Failed, environment, server
from bench.report import Cell, Table
from bench.timing import percentile
from tools.ports import free_port

_ENDLESS: Final = (32, 256)
_WAITING: Final = (1000, 5000)
_LIMIT_S: Final = 120
_SAMPLE_S: Final = 5.0
_SETTLED_S: Final = 6.0  # each endless guest has had its first slice


def measure(guests: Path) -> Table:
    """Return the table.

    Args:
        guests: the folder of built guests.
    """
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
    figures = _run("thread", 1)
    if isinstance(figures, str):
        table.notes.append(f"no figures beside a busy thread: {figures}")
    else:
        table.rows += [
            _row("a call with two host calls beside a busy Python thread, p50", figures, "p50_ms"),
            _row("a call with two host calls beside a busy Python thread, p99", figures, "p99_ms"),
            _row("a call with two host calls beside a busy Python thread, the longest", figures, "longest_ms"),
        ]
    try:
        table.rows += _over_http(guests / "hostile.wasm", _ENDLESS[-1])
    except Failed as failure:
        table.notes.append(f"no figures over HTTP: {failure}")
    for count in _WAITING:
        figures = _run("waiting", count)
        if isinstance(figures, str):
            table.notes.append(f"no figures of {count:,} waiting guests: {figures}")
        else:
            table.rows.append([f"resident memory of each of {count:,} waiting guests", figures["kib_per_guest"], "KiB"])
    table.notes.append("one tired guest runs in each turn of the event loop, for one epoch (10 ms)")
    return table


def _over_http(component: Path, count: int) -> list[list[Cell]]:
    """Return what a small request and `/health/live` take, alone and beside endless guests of the same worker."""
    port, admin = free_port(), free_port()
    env = environment(
        HTTP_ADDR=f"127.0.0.1:{port}",
        ADMIN_ADDR=f"127.0.0.1:{admin}",
        QWASR_CONCURRENCY=str(count + 8),
        QWASR_GUEST_CPU_S="60",
        QWASR_GUEST_TIMEOUT_S="600",
    )
    asked = (("a small request over HTTP", port, "/h"), ("/health/live", admin, "/health/live"))
    with server(ours(component), port, env=env, target="/h", core=None), contextlib.ExitStack() as stack:
        alone = {what: _latencies_ms(of, target) for what, of, target in asked}
        for _ in range(count):
            _send(stack.enter_context(socket.create_connection(("127.0.0.1", port))), "/i")
        time.sleep(_SETTLED_S)
        beside = {what: _latencies_ms(of, target) for what, of, target in asked}
    return [
        [f"{what} {how}, p{percent}", percentile(latencies[what], percent), "ms"]
        for what, _, _ in asked
        for how, latencies in (("alone", alone), (f"beside {count} endless guests", beside))
        for percent in (50, 99)
    ]


def _latencies_ms(port: int, target: str) -> list[float]:
    latencies = []
    end_s = time.perf_counter() + _SAMPLE_S
    while (began := time.perf_counter()) < end_s:
        with socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_S) as connection:
            _send(connection, target)
            if not connection.recv(64).startswith(b"HTTP/1.1 200"):
                msg = f"{target} was not answered well"
                raise Failed(msg)
        latencies.append((time.perf_counter() - began) * 1000)
    return latencies


def _send(connection: socket.socket, target: str) -> None:
    connection.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())


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
