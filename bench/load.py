"""Load on a server, from the other core: `wrk` with one thread where it is installed, else our own generator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from bench.processes import ROOT, Failed, cpu_s, pinned

__all__ = ["Load", "generate", "medians"]

_UNITS_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_REQUESTS: Final = re.compile(r"(\d+) requests in")
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_LATENCY: Final = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", re.MULTILINE)
_BAD_STATUS: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BAD_SOCKET: Final = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some seconds of load.

    Attributes:
        per_s: requests a second.
        p50_ms: half of them took at most so long.
        p99_ms: 99 of 100 took at most so long.
        failures: requests without a good answer.
        cpu_us: what the server computed for one request, in microseconds; None where the system does not tell.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    failures: int
    cpu_us: float | None = None


def generate(port: int, process_id: int, connections: int, seconds: float) -> Load:
    """Ask a server for `/` as often as it answers.

    Args:
        port: the server's.
        process_id: the server's.
        connections: how many requests are under way at once.
        seconds: how long; `wrk` takes whole seconds only.

    Raises:
        Failed: the generator did.
    """
    before_s = cpu_s(process_id)
    requests, load = _generate(port, connections, seconds)
    after_s = cpu_s(process_id)
    if before_s is None or after_s is None or not requests:
        return load
    return replace(load, cpu_us=(after_s - before_s) / requests * 1e6)


def _generate(port: int, connections: int, seconds: float) -> tuple[int, Load]:
    wrk = shutil.which("wrk")
    if wrk is None:
        figures = json.loads(_run(sys.executable, "-m", "bench.generator", str(port), str(connections), str(seconds)))
        return figures.pop("requests"), Load(**figures)
    whole = max(1, round(seconds))
    return _read_wrk(
        _run(
            wrk, "-t1", f"-c{connections}", f"-d{whole}s", "--latency", "--timeout", "10s", f"http://127.0.0.1:{port}/"
        )
    )


def medians(loads: list[Load]) -> Load:
    """Return each figure's median, and all failures."""
    return Load(
        median(load.per_s for load in loads),
        median(load.p50_ms for load in loads),
        median(load.p99_ms for load in loads),
        sum(load.failures for load in loads),
        median(known) if (known := [load.cpu_us for load in loads if load.cpu_us is not None]) else None,
    )


def _run(*command: str) -> str:
    with pinned(1):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}"
        raise Failed(msg)
    return done.stdout


def _read_wrk(output: str) -> tuple[int, Load]:
    rate = _RATE.search(output)
    latency = {percent: float(value) * _UNITS_MS[unit] for percent, value, unit in _LATENCY.findall(output)}
    requests = _REQUESTS.search(output)
    if rate is None or requests is None or not latency:
        msg = f"wrk printed something else: {output.strip()[-300:]}"
        raise Failed(msg)
    status, sockets = _BAD_STATUS.search(output), _BAD_SOCKET.search(output)
    failures = int(status[1]) if status else 0
    failures += sum(map(int, sockets.groups())) if sockets else 0
    return int(requests[1]), Load(float(rate[1]), latency["50"], latency["99"], failures)
