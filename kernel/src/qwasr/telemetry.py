"""What a worker counts, and how the counts of many become one page in Prometheus' text format.

Counting is on the path of every request, so it is additions to plain numbers and nothing else: no locks (one event loop
counts), no labels looked up, no client library. A `Telemetry` belongs to one `Runtime`; a `snapshot` of it is plain
data that goes through a pipe, and `Totals` adds such snapshots up.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from qwasr.errors import GuestTrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwasr.errors import GuestError

__all__ = ["BOUNDS_S", "HostCounter", "Telemetry", "Totals", "prometheus"]

BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# What a trap's sentence contains, and what it is called in figures: a closed list, so that labels cannot grow.
_TRAPS: Final = (
    ("unreachable", "unreachable"),
    ("call stack exhausted", "stack overflow"),
    ("out of bounds memory access", "memory bounds"),
    ("out of bounds table access", "table bounds"),
    ("indirect call", "indirect call"),
    ("uninitialized element", "indirect call"),
    ("divide by zero", "arithmetic"),
    ("integer overflow", "arithmetic"),
    ("invalid conversion", "arithmetic"),
    ("fuel", "fuel"),
    ("resource", "resource"),
    ("handle", "resource"),
)
_KINDS: Final = {
    "GuestExit": "exit",
    "DeadlineExceeded": "deadline",
    "InstantiationError": "instantiation",
    "HostFunctionError": "host function",
    "HostValueError": "host value",
}


class HostCounter:
    """Calls that guests make to one interface, and how many of them ended in an error.

    Attributes:
        calls: how many began.
        errors: how many answered with a WIT error or failed.
    """

    __slots__ = ("calls", "errors")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0


class Telemetry:
    """The counters of one runtime.

    Attributes:
        responses: how many requests were answered, by status.
        buckets: how many took at most so long, one number for each of `BOUNDS_S` and one for those that took longer.
        seconds: how long all of them took together.
        failures: guest calls that ended without a result, by kind.
        hosts: calls of guests by interface, for the interfaces that a service stands behind.
    """

    __slots__ = ("buckets", "failures", "hosts", "responses", "seconds")

    def __init__(self) -> None:
        self.responses: dict[int, int] = {}
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0
        self.failures: dict[str, int] = {}
        self.hosts: dict[str, HostCounter] = {}

    def answered(self, status: int, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            status: what it was answered with, an HTTP status; 0 when it ended without an answer.
            seconds: how long that took.
        """
        responses = self.responses
        responses[status] = responses.get(status, 0) + 1
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def failed(self, error: GuestError) -> None:
        """Count a guest call that ended without a result."""
        kind = kind_of(error)
        self.failures[kind] = self.failures.get(kind, 0) + 1

    def host(self, name: str) -> HostCounter:
        """Return the counter of an interface, the same one each time."""
        return self.hosts.setdefault(name, HostCounter())

    def snapshot(self, **gauges: int) -> dict[str, Any]:
        """Return everything as plain data.

        Args:
            gauges: what is true now and not counted, for example ``running=3``.
        """
        return {
            "responses": {str(status or "none"): count for status, count in self.responses.items()},
            "buckets": list(self.buckets),
            "seconds": self.seconds,
            "failures": dict(self.failures),
            "hosts": {name: [counter.calls, counter.errors] for name, counter in self.hosts.items()},
            "gauges": gauges,
        }


def kind_of(error: GuestError) -> str:
    """Return what an error is called in figures, one word of a closed list."""
    if isinstance(error, GuestTrap):
        reason = error.reason
        return f"trap: {next((name for part, name in _TRAPS if part in reason), 'other')}"
    # A kind that is not known here is called by its class: those are few too.
    return _KINDS.get(type(error).__name__, type(error).__name__)


class Totals:
    """Snapshots of several workers, added up."""

    def __init__(self) -> None:
        self.responses: dict[str, int] = {}
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0
        self.failures: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.gauges: dict[str, int] = {}

    def add(self, snapshot: Mapping[str, Any], *, gauges: bool = True) -> None:
        """Add what one worker counted.

        Args:
            snapshot: what `Telemetry.snapshot` returned; empty when the worker has not reported yet.
            gauges: whether its gauges are added too; those of a worker that is gone are not.
        """
        if not snapshot:
            return
        _add(self.responses, snapshot["responses"])
        self.buckets = [mine + its for mine, its in zip(self.buckets, snapshot["buckets"], strict=True)]
        self.seconds += snapshot["seconds"]
        _add(self.failures, snapshot["failures"])
        _add(self.calls, {name: pair[0] for name, pair in snapshot["hosts"].items()})
        _add(self.errors, {name: pair[1] for name, pair in snapshot["hosts"].items()})
        if gauges:
            _add(self.gauges, snapshot["gauges"])

    def copy(self) -> Totals:
        """Return totals that can be added to without changing these."""
        other = Totals()
        other.responses, other.failures = dict(self.responses), dict(self.failures)
        other.calls, other.errors, other.gauges = dict(self.calls), dict(self.errors), dict(self.gauges)
        other.buckets, other.seconds = list(self.buckets), self.seconds
        return other


def _add(mine: dict[str, int], its: Mapping[str, int]) -> None:
    for name, count in its.items():
        mine[name] = mine.get(name, 0) + count


def prometheus(totals: Totals, **workers: int) -> str:
    """Return totals as Prometheus' text exposition format 0.0.4.

    Args:
        totals: the sum over all workers, those that are gone included.
        workers: `wanted`, `ready` and `restarts`.
    """
    lines: list[str] = []
    _metric(lines, "qwasr_requests_total", "counter", "Requests answered, by status.", _by("status", totals.responses))
    name = "qwasr_request_seconds"
    counts = list(accumulate(totals.buckets))
    buckets = [(f'_bucket{{le="{bound}"}}', count) for bound, count in zip((*BOUNDS_S, "+Inf"), counts, strict=True)]
    sums: list[tuple[str, float]] = [("_sum", round(totals.seconds, 6)), ("_count", counts[-1])]
    _metric(lines, name, "histogram", "How long requests took until they were answered, seconds.", [*buckets, *sums])
    _metric(
        lines,
        "qwasr_guest_failures_total",
        "counter",
        "Guest calls that ended without a result, by kind.",
        _by("kind", totals.failures),
    )
    _metric(
        lines, "qwasr_host_calls_total", "counter", "Calls of guests, by interface.", _by("interface", totals.calls)
    )
    _metric(
        lines,
        "qwasr_host_errors_total",
        "counter",
        "Calls of guests that ended in an error, by interface.",
        _by("interface", totals.errors),
    )
    for gauge, text in (
        ("running", "Guest calls that run now."),
        ("waiting", "Guest calls that wait for a slot now."),
        ("slots", "Slots for guest instances."),
    ):
        _metric(lines, f"qwasr_calls_{gauge}", "gauge", text, [("", totals.gauges.get(gauge, 0))])
    _metric(lines, "qwasr_workers", "gauge", "Worker processes that should run.", [("", workers.get("wanted", 0))])
    _metric(lines, "qwasr_workers_ready", "gauge", "Worker processes that serve.", [("", workers.get("ready", 0))])
    _metric(
        lines,
        "qwasr_worker_restarts_total",
        "counter",
        "Worker processes that died and were started again.",
        [("", workers.get("restarts", 0))],
    )
    return "\n".join(lines) + "\n"


def _by(label: str, counts: Mapping[str, int]) -> list[tuple[str, float]]:
    return [(f'{{{label}="{_escaped(value)}"}}', count) for value, count in sorted(counts.items())]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metric(lines: list[str], name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> None:
    lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{suffix} {value}" for suffix, value in samples]
