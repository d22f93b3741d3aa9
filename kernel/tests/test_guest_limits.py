"""The limits of a guest as variables and flags: each reaches the engine, and a command has none of its time."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwasr.engine import EngineOptions
from qwasr.errors import CpuLimitExceeded, OptionError
from qwasr.runtime import Runtime
from qwasr.runtime_options import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = "(local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))) (i32.const 0)"

LIMITS = {
    "QWASR_GUEST_CPU_S": ("cpu_s", 1.5),
    "QWASR_GUEST_FUEL": ("fuel", 7),
    "QWASR_GUEST_MEMORY_BYTES": ("memory_bytes", 1 << 20),
    "QWASR_GUEST_MEMORIES": ("memories", 2),
    "QWASR_GUEST_TABLE_ELEMENTS": ("table_elements", 3),
    "QWASR_GUEST_TABLES": ("tables", 4),
    "QWASR_GUEST_INSTANCES": ("instances", 5),
    "QWASR_GUEST_RESOURCES": ("resources", 6),
    "QWASR_VALUE_ELEMENTS": ("values.elements", 1 << 16),
    "QWASR_VALUE_ITEMS": ("values.items", 1 << 10),
    "QWASR_VALUE_STRING_BYTES": ("values.string_bytes", 1 << 17),
    "QWASR_CONCURRENCY": ("concurrency", 8),
    "QWASR_QUEUE": ("queue", 9),
    "QWASR_QUEUE_TIMEOUT_S": ("queue_timeout_s", 0.5),
}


def qwasr(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "qwasr.cli", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("variable", LIMITS)
def test_a_variable_of_a_limit_reaches_the_engine(variable: str) -> None:
    field, value = LIMITS[variable]
    options = RuntimeOptions.from_env({variable: str(value)}).engine({})
    assert attrgetter(field)(options) == value


def test_the_defaults_of_the_variables_are_those_of_the_engine() -> None:
    options, engine = RuntimeOptions.from_env({}).engine({}), EngineOptions()
    limits = {field for field, _ in LIMITS.values()}
    assert {field: attrgetter(field)(options) for field in limits} == {
        field: attrgetter(field)(engine) for field in limits
    }


@pytest.mark.parametrize("variable", ["QWASR_GUEST_CPU_S", "QWASR_GUEST_FUEL", "QWASR_CONCURRENCY", "QWASR_QUEUE"])
def test_a_limit_that_makes_no_sense_is_refused(variable: str) -> None:
    with pytest.raises(OptionError, match=variable):
        RuntimeOptions.from_env({variable: "-1"})


def test_help_lists_every_limit() -> None:
    flags = set(re.findall(r"--[a-z-]+", qwasr("run", "--help").stdout))
    assert flags >= {f"--{variable.removeprefix('QWASR_').lower().replace('_', '-')}" for variable in LIMITS}


def test_the_page_of_limits_lists_every_limit_and_its_flag() -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    for variable in LIMITS:
        flag = "--" + variable.removeprefix("QWASR_").lower().replace("_", "-")
        assert f"| `{variable}` | `{flag}` |" in page


async def test_a_call_knows_how_long_its_guest_computed(plain: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwasr.engine.instance.perf_counter", time.thread_time)  # whatever else the machine has to do
    environ = {"QWASR_PLUGINS": "", "QWASR_GUEST_CPU_S": "0.5"}
    async with Runtime(plain, environ=environ) as runtime:
        async with runtime.guest.call() as call:
            assert call.cpu_s == 0
            assert await call.invoke(runtime.guest.function(None, "add"), 1, 2) == 3
            once = call.cpu_s
            assert 0 < once < 0.5
            await call.invoke(runtime.guest.function(None, "add"), 1, 2)
        assert call.cpu_s > once, "and still does after the block"
        async with runtime.guest.call() as other:
            with pytest.raises(CpuLimitExceeded):
                await other.invoke(runtime.guest.function(None, "spin"))
        assert 0.5 < other.cpu_s < 5


def test_a_command_may_compute_for_as_long_as_it_likes(write_component: Callable[..., Path]) -> None:
    component = write_component("command", body=COUNT)
    done = qwasr("run", str(component), "--guest-cpu-s", "0.001", "--plugins", "", "--cache-dir", "off")
    assert done.returncode == 0, done.stderr
