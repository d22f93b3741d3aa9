from __future__ import annotations

import json

from qwasr.errors import CpuLimitExceeded, DeadlineExceeded, GuestTrap
from qwasr.runtime import Runtime
from qwasr.telemetry import BOUNDS_S, Telemetry, Totals, prometheus


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_snapshots_of_two_workers_add_up() -> None:
    totals = Totals()
    for status in (200, 503):
        telemetry = Telemetry()
        telemetry.answered(200, 0.002)
        telemetry.answered(status, 0.2)
        telemetry.failed(DeadlineExceeded("late"))
        telemetry.host("keyvalue").calls += 3
        telemetry.host("keyvalue").errors += 1
        totals.add(json.loads(json.dumps(telemetry.snapshot(running=2, waiting=1, slots=8))))
    found = samples(prometheus(totals, wanted=2, ready=2, restarts=0))
    assert found['qwasr_requests_total{status="200"}'] == 3
    assert found['qwasr_requests_total{status="503"}'] == 1
    assert found["qwasr_request_seconds_count"] == 4
    assert found['qwasr_guest_failures_total{kind="deadline"}'] == 2
    assert found['qwasr_host_calls_total{interface="keyvalue"}'] == 6
    assert found['qwasr_host_errors_total{interface="keyvalue"}'] == 2
    assert found["qwasr_calls_running"] == 4
    assert found["qwasr_calls_slots"] == 16


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    telemetry, totals = Telemetry(), Totals()
    for seconds in (BOUNDS_S[0], 0.003, 99.0):
        telemetry.answered(200, seconds)
    totals.add(telemetry.snapshot())
    found = samples(prometheus(totals))
    assert found['qwasr_request_seconds_bucket{le="0.0005"}'] == 1
    assert found['qwasr_request_seconds_bucket{le="0.005"}'] == 2
    assert found['qwasr_request_seconds_bucket{le="30.0"}'] == 2
    assert found['qwasr_request_seconds_bucket{le="+Inf"}'] == 3


def test_the_gauges_of_a_worker_that_is_gone_do_not_count() -> None:
    telemetry, totals = Telemetry(), Totals()
    telemetry.answered(200, 0.1)
    totals.add(telemetry.snapshot(running=5), gauges=False)
    found = samples(prometheus(totals))
    assert (found["qwasr_calls_running"], found['qwasr_requests_total{status="200"}']) == (0, 1)


def test_a_worker_that_has_not_reported_adds_nothing() -> None:
    totals = Totals()
    totals.add({})
    assert samples(prometheus(totals))["qwasr_request_seconds_count"] == 0


def test_the_kinds_of_traps_are_a_closed_list() -> None:
    telemetry = Telemetry()
    for reason in ("wasm `unreachable` instruction executed", "something else, with 1234", "something else, with 5678"):
        telemetry.failed(GuestTrap(reason))
    assert telemetry.failures == {"trap: unreachable": 1, "trap: other": 2}


def test_a_limit_is_called_by_its_name() -> None:
    telemetry = Telemetry()
    telemetry.failed(CpuLimitExceeded("too much"))
    assert telemetry.failures == {"CpuLimitExceeded": 1}


async def test_a_runtime_counts_what_traps_and_what_runs(plain: bytes) -> None:
    async with Runtime(plain, environ={"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}) as runtime:
        try:
            await runtime.call(None, "trap")
        except GuestTrap:
            snapshot = runtime.snapshot()
    assert snapshot["failures"] == {"trap: unreachable": 1}
    assert snapshot["gauges"] == {"running": 0, "waiting": 0, "slots": 256}
