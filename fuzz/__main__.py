"""Fuzzes every target for its share of the time, each in a process of its own; ends with 1 when one found something."""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import time
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings

from fuzz.targets import TARGETS

_DEFAULT_S: Final = "600"
_ROUND: Final = 500  # examples between two looks at the clock


def fuzz(name: str, seconds: float, examples: int | None = None) -> int:
    """Fuzz one target, at least one round.

    Args:
        name: the target's.
        seconds: for how long.
        examples: of a round.

    Returns:
        How many inputs were tried.

    Raises:
        Exception: the finding, as hypothesis reports it.
    """
    target, tried = TARGETS[name], 0

    def check(value: object) -> None:
        nonlocal tried
        tried += 1
        target.check(value)

    # Without a database and without reuse every round begins anew, somewhere else.
    search = settings(
        max_examples=examples or _ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.target, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(given(target.inputs)(check))
    ends_s = time.monotonic() + seconds
    while True:
        search()
        if time.monotonic() >= ends_s:
            return tried


def main() -> int:
    """Split the time over the targets."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"which ones; all of {', '.join(TARGETS)} if none")
    parser.add_argument(
        "--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", _DEFAULT_S)), help="in all (FUZZ_SECONDS)"
    )
    parser.add_argument("--one", choices=list(TARGETS), help="this target only, in this process")
    arguments = parser.parse_args()
    faulthandler.enable()
    if arguments.one is not None:
        print(f"{arguments.one:12} {fuzz(arguments.one, arguments.seconds):>9} inputs, nothing found", flush=True)
        return 0
    names = arguments.targets or list(TARGETS)
    found = []
    for name in names:
        command = [sys.executable, "-m", "fuzz", "--one", name, "--seconds", str(arguments.seconds / len(names))]
        status = subprocess.run(command, check=False).returncode
        if status:
            found.append(name)
            print(f"{name:12} FAILED with status {status}", flush=True)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
