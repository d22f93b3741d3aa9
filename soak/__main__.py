"""Prints a table of what calls left behind; ends with 1 when something did."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from soak.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_GROWTH_BYTES: Final = 1024 * 1024
_ROW: Final = "| {:16} | {:>6} | {:>8} | {:>9} | {:>9} | {:>10} | {}"


def main() -> int:
    """Run each kind in a process of its own, so that none pays for the memory of another."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=int(os.environ.get("SOAK_CALLS", "10000")), help="of each kind")
    parser.add_argument("--one", choices=[kind.name for kind in KINDS], help="this kind only, in this process")
    arguments = parser.parse_args()
    if arguments.one is not None:
        return _one(arguments.one, arguments.calls)
    today = datetime.now(tz=UTC).date()
    print(f"qwasr {version('qwasr')}, wasmtime {version('wasmtime')}, Python {platform.python_version()}, {today}")
    print(_ROW.format("kind", "calls", "calls/s", "warm, MiB", "end, MiB", "growth,KiB", "left behind |"))
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |", flush=True)
    commands = [[sys.executable, "-m", "soak", "--calls", str(arguments.calls), "--one", k.name] for k in KINDS]
    return max(subprocess.run(command, check=False).returncode for command in commands)


def _one(name: str, calls: int) -> int:
    from soak.measure import soak

    logging.getLogger().addHandler(logging.NullHandler())
    kind = next(kind for kind in KINDS if kind.name == name)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        figures = runner.run(soak(kind, calls))
    left = figures.before.differences(figures.after)
    mib = 1024 * 1024
    print(
        _ROW.format(
            figures.kind,
            figures.calls,
            f"{figures.calls / figures.seconds:.0f}",
            f"{figures.memory_warm / mib:.1f}",
            f"{figures.memory_end / mib:.1f}",
            f"{figures.growth / 1024:+.0f}",
            f"{left or 'nothing'} |",
        ),
        flush=True,
    )
    return int(bool(left) or figures.growth > _MAX_GROWTH_BYTES)


def _loop_factory() -> Callable[[], Any] | None:
    """Return the loop that `qwasr run` takes: uvloop's where it is installed."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    sys.exit(main())
