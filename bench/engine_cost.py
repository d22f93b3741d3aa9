"""Section 1: what one call of a small guest costs, beside the wheel's own layer.

The guest is `examples/hello-c`: it takes two handles and makes eight host calls with handles, strings and bytes. Each
call gets a fresh instance. The parts are told apart by a second call of the same instance, which instantiates nothing.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from bench.hello_host import HELLO_HOSTS, IncomingRequest, ResponseOutparam
from bench.report import Table, ratio
from bench.wheel import WheelGuest
from qwasr.engine import Engine, EngineOptions, LinkedComponent

_EXPORT: Final = "wasi:http/incoming-handler@0.2.12"
_ROUNDS: Final = 12
_PARTS: Final = ("instantiate", "handle (8 host calls)", "drop")
Parts = tuple[float, float, float]


async def measure(guests: Path, seconds: float) -> Table:
    """Return the table.

    Args:
        guests: the folder of built guests.
        seconds: about how long to measure, in all.
    """
    table = Table(
        "Engine: one call of a small guest, fresh instance", ["part", "qwasr µs", "wheel µs", "qwasr / wheel"]
    )
    path = guests / "hello-c.wasm"
    if not path.exists():
        table.notes.append("not measured: the guest hello-c is not built (`python -m tools.guests hello-c` says why)")
        return table
    ours, wheels = await _samples(path, seconds)
    for part, mine, other in zip(_PARTS, _medians(ours), _medians(wheels), strict=True):
        table.rows.append([part, mine, other, ratio(mine, other)])
    mine, other = (median([sum(parts) for parts in samples]) * 1e6 for samples in (ours, wheels))
    table.rows.append(["the whole call", mine, other, ratio(mine, other)])
    table.notes.append(f"medians of {len(ours):,} and {len(wheels):,} calls in {_ROUNDS} turns; aim: at most 0.20")
    return table


async def _samples(path: Path, seconds: float) -> tuple[list[Parts], list[Parts]]:
    engine = Engine(EngineOptions(concurrency=4))
    try:
        linked = engine.link(engine.load(path), HELLO_HOSTS)
        wheel = WheelGuest(path, HELLO_HOSTS)
        ours: list[Parts] = []
        wheels: list[Parts] = []
        turn_s = seconds / _ROUNDS / 2
        for turn in range(_ROUNDS + 1):
            mine, others = await _ours(linked, turn_s), _wheels(wheel, turn_s)
            if turn:  # the first one warms up
                ours += mine
                wheels += others
    finally:
        engine.close()
    return ours, wheels


async def _ours(linked: LinkedComponent, seconds: float) -> list[Parts]:
    handle = linked.function("wasi:http/incoming-handler", "handle")
    samples: list[Parts] = []
    end_s = perf_counter() + seconds
    while (began := perf_counter()) < end_s:
        store = linked.store()
        await store.call(handle, IncomingRequest(), ResponseOutparam())
        first = perf_counter()
        await store.call(handle, IncomingRequest(), ResponseOutparam())
        second = perf_counter()
        store.close()
        samples.append((first - began - (second - first), second - first, perf_counter() - second))
    return samples


def _wheels(guest: WheelGuest, seconds: float) -> list[Parts]:
    handle = guest.index(_EXPORT, "handle")
    samples: list[Parts] = []
    end_s = perf_counter() + seconds
    while (began := perf_counter()) < end_s:
        store = guest.store()
        function = guest.instantiate(store, handle)
        function(store, guest.own(IncomingRequest()), guest.own(ResponseOutparam()))
        first = perf_counter()
        function(store, guest.own(IncomingRequest()), guest.own(ResponseOutparam()))
        second = perf_counter()
        guest.table.clear()
        store.close()
        samples.append((first - began - (second - first), second - first, perf_counter() - second))
    return samples


def _medians(samples: list[Parts]) -> list[float]:
    return [median(part) * 1e6 for part in zip(*samples, strict=True)]
