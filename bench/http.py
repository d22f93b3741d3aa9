"""Section 3: HTTP, a fresh instance for each request, beside bare aiohttp, `wasmtime serve` and `jco serve`.

Servers run on one core and the load on another. The servers of one guest are asked in turns, so that whatever else the
machine does falls on all of them.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.jco import find_jco
from bench.load import Load, generate, medians
from bench.machine import usable_cores
from bench.processes import Failed, environment, server
from bench.report import Cell, Table, ratio
from tools.ports import free_port

__all__ = ["BUILD_WASMTIME", "GUESTS", "measure", "ours"]

GUESTS: Final = (("hello-c", "C, 7 KB"), ("hello-rust", "Rust, 45 KB"), ("http", "Python, 18 MB"))
BUILD_WASMTIME: Final = (
    "`wasmtime` is not on the PATH, so there is no peer: `cargo install wasmtime-cli --version 50.0.1 --locked "
    "--no-default-features --features run,serve,compile,cranelift,pooling-allocator,component-model,"
    "component-model-async,wat,cache,parallel-compilation`"
)
_CONNECTIONS: Final = (1, 32)
_ROUNDS: Final = 3
_COLUMNS: Final = [
    "guest",
    "server",
    "connections",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU µs",
    "× wasmtime",
    "× wasmtime by CPU",
    "× jco",
    "× bare aiohttp",
    "failed",
]
_BARE, _QWASR, _REUSE, _WASMTIME = "bare aiohttp, no guest", "qwasr run", "qwasr run --reuse 1000", "wasmtime serve"
_JCO: Final = "jco serve --isolate-requests instance"
_FURTHER_CALLS: Final = "1000"
_LEAVES_RESOURCES: Final = "hello-c"  # it drops its request with its instance, so that none is used again


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    port: int
    process_id: int


def ours(component: Path) -> list[str | Path]:
    """Return the command that serves a component, without its address: that is `HTTP_ADDR`'s."""
    return [sys.executable, "-m", "qwasr.cli", "run", component]


def measure(guests: Path, seconds: float) -> Table:
    """Return the table.

    Args:
        guests: the folder of built guests.
        seconds: how long one load lasts; there are `_ROUNDS` for each server and number of connections.
    """
    table = Table("HTTP: GET / on a fresh instance, and on one that is used again", list(_COLUMNS))
    found = find_jco()
    jco = found if isinstance(found, Path) else None
    if isinstance(found, str):
        table.notes.append(found)
    bare: dict[int, float] = {}
    for name, what in GUESTS:
        component = guests / f"{name}.wasm"
        if not component.exists():
            table.notes.append(f"no figures of the guest in {what}: it is not built")
            continue
        with contextlib.ExitStack() as stack:
            targets = _start(stack, table, component, what, jco)
            for connections in _CONNECTIONS:
                loads = _rounds(targets, connections, seconds)
                bare.setdefault(connections, loads[_BARE].per_s if _BARE in loads else 0)
                for server_name in loads:
                    table.rows.append(_row(what, server_name, connections, loads, bare[connections]))
    table.notes.append(f"medians of {_ROUNDS} loads of {seconds:g} s each, the servers of one guest in turns")
    table.notes.append("CPU: of the server's process for one request, which other work on the machine disturbs least")
    cores = len(usable_cores())
    table.notes.append(
        "servers on one core, load on another" if cores > 1 else "one core for servers and load together"
    )
    if shutil.which("wasmtime") is None:
        table.notes.append(BUILD_WASMTIME)
    return table


def _start(stack: contextlib.ExitStack, table: Table, component: Path, what: str, jco: Path | None) -> list[_Target]:
    targets = []
    names = [_QWASR, _WASMTIME] if component.stem == _LEAVES_RESOURCES else [_QWASR, _REUSE, _WASMTIME]
    if jco is not None:
        names.append(_JCO)
    if component.stem == GUESTS[0][0]:
        names.insert(0, _BARE)
    for name in names:
        port = free_port()
        env = environment(HTTP_ADDR=f"127.0.0.1:{port}")
        command = _command(name, component, port, jco)
        if command is None:
            continue
        try:
            process = stack.enter_context(server(command, port, env=env))
        except Failed as failure:
            table.notes.append(f"no figures of {name} with the guest in {what}: {failure}")
        else:
            targets.append(_Target(name, port, process.pid))
    return targets


def _command(name: str, component: Path, port: int, jco: Path | None) -> list[str | Path] | None:
    if name == _BARE:
        return [sys.executable, "-m", "bench.bare", str(port)]
    if name == _QWASR:
        return ours(component)
    if name == _REUSE:
        return [*ours(component), "--reuse", _FURTHER_CALLS]
    if name == _JCO and jco is not None:
        address = ("--host", "127.0.0.1", "--port", str(port))
        return [jco, "serve", component, *address, "--isolate-requests", "instance"]
    wasmtime = shutil.which("wasmtime")
    if wasmtime is None:
        return None
    return [wasmtime, "serve", "-S", "cli", "--addr", f"127.0.0.1:{port}", component]


def _rounds(targets: list[_Target], connections: int, seconds: float) -> dict[str, Load]:
    loads: dict[str, list[Load]] = {target.name: [] for target in targets}
    for _ in range(_ROUNDS):
        for target in targets:
            loads[target.name].append(generate(target.port, target.process_id, connections, seconds))
    return {name: medians(of) for name, of in loads.items()}


def _row(what: str, name: str, connections: int, loads: dict[str, Load], bare: float) -> list[Cell]:
    load = loads[name]
    peer, jco = (None if name == _BARE else loads.get(other) for other in (_WASMTIME, _JCO))
    return [
        "" if name == _BARE else what,
        name,
        str(connections),
        load.per_s,
        load.p50_ms,
        load.p99_ms,
        load.cpu_us,
        None if peer is None else ratio(load.per_s, peer.per_s),
        None if peer is None else ratio(peer.cpu_us, load.cpu_us),
        None if jco is None else ratio(load.per_s, jco.per_s),
        ratio(load.per_s, bare),
        str(load.failures),
    ]
