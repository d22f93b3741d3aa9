from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import qwasr
from qwasr.engine import Engine, EngineOptions

_SOURCE = Path(qwasr.__file__).parent.parent
_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(concurrency=64, memory_bytes=64 * 1024 * 1024))
    yield engine
    engine.close()


class MakeEngine(Protocol):
    """Makes an engine of a test's own; few slots and little memory unless it asks for more."""

    def __call__(self, **options: Any) -> Engine: ...


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    engines: list[Engine] = []

    def make(**options: Any) -> Engine:
        engines.append(Engine(EngineOptions(**{"concurrency": 8, "memory_bytes": 16 * 1024 * 1024} | options)))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


RunPython = Callable[..., str]


@pytest.fixture
def run_python() -> RunPython:
    """Runs a program in a process of its own, which it may harm; gives what it printed."""

    def run(program: str, *args: str, env: dict[str, str] | None = None) -> str:
        path = os.pathsep.join([str(_SOURCE), str(_ROOT)])
        done = subprocess.run(
            [sys.executable, "-c", program, *args],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            env=os.environ | {"PYTHONPATH": path} | (env or {}),
        )
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run
