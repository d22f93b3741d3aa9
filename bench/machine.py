"""Where and with what the figures were measured."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Final

_DISTRIBUTIONS: Final = ("wasmtime", "aiohttp", "uvloop", "cffi", "redis", "apsw")


def describe() -> dict[str, str]:
    """Return the machine, the versions and the date, by what they are called in the report."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    parts = [f"{name} {_version(name)}" for name in _DISTRIBUTIONS]
    return {
        "machine": f"{_cpu()}, {len(usable_cores())} cores, {platform.system()} {platform.machine()}",
        "versions": ", ".join([f"qwasr-kernel {_version('qwasr-kernel')}", python, *parts]),
        "cffi's backend": cffi_build(),
        "load generator": _tool("wrk", "-v") or "our own (`wrk` is not on the PATH)",
        "wasmtime serve": _tool("wasmtime", "--version") or "`wasmtime` is not on the PATH",
        "Node.js, for jco serve": _tool("node", "--version") or "`node` is not on the PATH",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def usable_cores() -> list[int]:
    """Return the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cffi_build() -> str:
    """Return how cffi's backend was built, as far as its wheel tells: PyPI's is built without optimisation."""
    try:
        tags = distribution("cffi").read_text("WHEEL") or ""
    except PackageNotFoundError:
        return "not installed"
    if "manylinux" in tags or "musllinux" in tags or "macosx" in tags:
        return "PyPI's wheel, built without optimisation (`CFLAGS=-O3 pip install --no-binary cffi cffi` is faster)"
    return "built on this machine"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _tool(name: str, flag: str) -> str | None:
    program = shutil.which(name)
    if program is None:
        return None
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].partition(" Copyright")[0] if lines else name
