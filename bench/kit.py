"""The test kit: what a test of a small guest costs beside what it tests.

A test is what the fixture `guest` does for each: a guest on fresh fakes is set up, called once, and torn down. The
component is compiled before, as it is once in a session.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any, Final

from bench.report import Table
from interfaces.sql.tests.guest_text import GUEST as SQL_GUEST
from qwasr.testing import Guest
from qwasr.testing.guest import Engines

__all__ = ["measure"]

_TESTS: Final = 50
_PLAIN: Final = b"""
(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add"))))
"""


def measure() -> Table:
    """Return the table."""
    table = Table("Test kit: one test of a small guest", ["guest", "median ms", "nine of ten below ms"])
    guests: tuple[tuple[str, str | bytes, tuple[Any, ...]], ...] = (
        ("imports nothing", _PLAIN, ("add", 1, 2)),
        ("asks a database", SQL_GUEST, ("query", "", "SELECT 1", [])),
    )
    for name, component, call in guests:
        took_ms = sorted(asyncio.run(_measure(component, call)))
        table.rows.append([name, median(took_ms), took_ms[len(took_ms) * 9 // 10]])
    table.notes.append(f"{_TESTS} tests each: fakes and guest set up, torn down; compiled once before")
    return table


async def _measure(component: bytes | str, call: tuple[Any, ...]) -> list[float]:
    """Return how long each test takes, in milliseconds."""
    engines = Engines()
    took_ms = []
    for _ in range(_TESTS + 1):
        began_s = time.perf_counter()
        async with Guest(component, environ={"QWASR_CACHE_DIR": "off"}, engines=engines) as guest:
            await guest.call(None, *call)
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return took_ms[1:]  # the first one compiles
