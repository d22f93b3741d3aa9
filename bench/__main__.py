"""`python -m bench`: measure, and print tables."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from bench import (
    blobstore,
    engine_cost,
    fairness,
    host_calls,
    http,
    keyvalue,
    kit,
    machine,
    messaging,
    sql,
    startup,
    workers,
)
from bench.processes import ROOT
from bench.report import Table

_DEFAULT_S: Final = 2.0
_ENGINE_LOADS: Final = 2  # how many loads' time the sections without a server take
_HOST_CALL_LOADS: Final = 6


def main() -> int:
    """Run the sections that were asked for; return the exit code."""
    arguments = _arguments()
    guests: Path = arguments.guests.resolve()
    seconds: float = arguments.seconds
    sections: dict[str, Callable[[], Table]] = {
        "engine": lambda: asyncio.run(engine_cost.measure(guests, seconds * _ENGINE_LOADS)),
        "host-calls": lambda: asyncio.run(host_calls.measure(seconds * _HOST_CALL_LOADS)),
        "http": lambda: http.measure(guests, seconds),
        "startup": lambda: startup.measure(guests),
        "fairness": lambda: fairness.measure(guests),
        "workers": lambda: workers.measure(guests, seconds),
        "keyvalue": lambda: keyvalue.measure(seconds),
        "sql": lambda: sql.measure(seconds),
        "blobstore": blobstore.measure,
        "messaging": lambda: messaging.measure(seconds),
        "test-kit": kit.measure,
    }
    signal.signal(signal.SIGTERM, _stop)
    described = machine.describe()
    print("\n".join(f"- {name}: {value}" for name, value in described.items()), flush=True)
    tables = {}
    for name in arguments.only or sections:
        table = sections[name]()
        tables[name] = table.data()
        print(f"\n{table.markdown()}", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({**described, "sections": tables}, indent=2) + "\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and print Markdown tables.")
    names = (
        "engine",
        "host-calls",
        "http",
        "startup",
        "fairness",
        "workers",
        "keyvalue",
        "sql",
        "blobstore",
        "messaging",
        "test-kit",
    )
    parser.add_argument("--only", action="append", choices=names, help="this section; may be given several times")
    parser.add_argument("--seconds", type=float, default=_DEFAULT_S, metavar="N", help="of one load (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--guests", type=Path, default=ROOT / "build" / "guests", metavar="DIR", help="where the built guests are"
    )
    return parser.parse_args()


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # as an exception, so that servers are ended on the way out


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
