"""Section 2: what one host call costs, by type and by the kind of host function, beside the wheel's own layer.

A guest in component text calls its host in a loop; the loop's own cost is a nanosecond or two. ``→ host`` passes a
value to a host function, ``→ guest`` returns one from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

from bench.call_guest import CASES, INTERFACE, Thing, loops, text
from bench.report import Table, ratio
from bench.timing import Loop, calibrated, microseconds
from bench.wheel import WheelGuest
from qwasr.engine import Engine, EngineOptions, Store
from qwasr.engine.composite import snake_case
from qwasr.hosting import HostInterface

_ROUNDS: Final = 5
_KINDS: Final = ("plain", "may wait", "coroutine")
_COLUMNS: Final = ["value", "plain µs", "may wait, at once µs", "coroutine µs", "wheel µs", "plain / wheel"]


async def measure(seconds: float) -> Table:
    """Return the table.

    Args:
        seconds: about how long to measure, in all.
    """
    table = Table("One host call", list(_COLUMNS))
    names = {f"{way}-{case.slug}": f"{case.name} {arrow}" for case in CASES for way, arrow in _WAYS}
    names |= {
        "in-nothing": "nothing",
        "out-own": "own → guest, which drops it",
        "in-own": "own → guest → host (two calls)",
        "in-borrow": "borrow → host",
    }
    engine = Engine(EngineOptions(concurrency=4))
    stores: list[Store] = []
    try:
        component = engine.load(text().encode(), name="calls")
        callers: list[Callable[[str], Loop]] = []
        for kind in _KINDS:
            linked = engine.link(component, [_host(kind)])
            stores.append(linked.store())
            callers.append(_ours(stores[-1], {name: linked.function(None, name) for name in loops()}))
        callers.append(_wheels(WheelGuest(text(), [_host("wheel")])))
        turn_s = seconds / len(loops()) / len(callers) / (_ROUNDS + 1)
        for name in loops():
            figures = await _medians([caller(name) for caller in callers], turn_s)
            table.rows.append([names[name], *figures, ratio(figures[0], figures[-1])])
    finally:
        for store in stores:
            store.close()
        engine.close()
    table.notes.append(f"medians of {_ROUNDS} turns; both directions of a handle or a value are calls of their own")
    table.notes.append(
        "plain: `def`; may wait: `def … -> T | Awaitable[T]` that answers at once; coroutine: `async def`"
    )
    return table


_WAYS: Final = (("in", "→ host"), ("out", "→ guest"))


async def _medians(each: list[Loop], turn_s: float) -> list[float]:
    counts = [await calibrated(loop, turn_s) for loop in each]
    rounds = [[await microseconds(loop, n) for loop, n in zip(each, counts, strict=True)] for _ in range(_ROUNDS)]
    return [median(column) for column in zip(*rounds, strict=True)]


def _ours(store: Store, functions: dict[str, Any]) -> Callable[[str], Loop]:
    def caller(name: str) -> Loop:
        async def loop(times: int) -> None:
            await store.call(functions[name], times)

        return loop

    return caller


def _wheels(guest: WheelGuest) -> Callable[[str], Loop]:
    store = guest.store()

    def caller(name: str) -> Loop:
        function = guest.instantiate(store, guest.index(None, name))

        async def loop(times: int) -> None:
            function(store, times)

        return loop

    return caller


def _host(kind: str) -> HostInterface:
    """Return a host whose functions are all of one kind; what they return is made before."""
    members: dict[str, Any] = {"in_nothing": _giver(kind, None), "in_own": _taker(kind), "in_borrow": _taker(kind)}
    members["out_own"] = _giver(kind, Thing)
    for case in CASES:
        members[snake_case(f"in-{case.slug}")] = _taker(kind)
        value = case.wheel_value if kind == "wheel" else case.value
        members[snake_case(f"out-{case.slug}")] = _giver(kind, value)
    cls: type[HostInterface] = type("Calls", (HostInterface,), {**members, "wit": INTERFACE, "resources": (Thing,)})
    return cls()


def _taker(kind: str) -> Callable[..., Any]:
    if kind == "coroutine":

        async def take_later(_self: Any, v: Any) -> None:
            pass

        return take_later
    if kind == "may wait":

        def may_take_later(_self: Any, v: Any) -> Awaitable[None] | None:
            pass

        return may_take_later

    def take(_self: Any, v: Any) -> None:
        pass

    return take


def _giver(kind: str, value: Any) -> Callable[..., Any]:
    make: Callable[[], Any] = value if value is Thing else lambda: value
    if kind == "coroutine":

        async def give_later(_self: Any) -> Any:
            return make()

        return give_later
    if kind == "may wait":

        def may_give_later(_self: Any) -> Awaitable[Any] | Any:
            return make()

        return may_give_later

    def give(_self: Any) -> Any:
        return make()

    return give
