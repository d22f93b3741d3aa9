"""Repeated measurements, in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

Loop = Callable[[int], Awaitable[None]]
"""Does something so many times."""

_CALIBRATION_S: Final = 0.002


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


async def calibrated(loop: Loop, seconds: float) -> int:
    """Return how many times `loop` does its work in about so many seconds; the first runs also warm it up."""
    times = 1
    while True:
        began = time.perf_counter()
        await loop(times)
        took_s = time.perf_counter() - began
        if took_s >= _CALIBRATION_S:
            return max(1, round(times * seconds / took_s))
        times *= 4


async def microseconds(loop: Loop, times: int) -> float:
    """Return what one round of `loop` takes, in microseconds."""
    began = time.perf_counter()
    await loop(times)
    return (time.perf_counter() - began) / times * 1e6
