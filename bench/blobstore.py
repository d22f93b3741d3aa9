"""Blobstores: how fast objects go through a guest into a folder and back, and what memory that takes.

One process of each store for all sizes, the smallest first, so that what a large object needs more than a small one
shows as growth. Beside it the same bytes in the same pieces written to a plain file by Python, and read from it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from bench.processes import ROOT, Failed, environment
from bench.report import Cell, Table

__all__ = ["ALLOWED_GROWTH_MIB", "measure"]

_MIB: Final = 1024 * 1024
_MEMORY_MIB: Final = 100  # the largest object of the store in memory, which has 256 MiB
_PIECE_BYTES: Final = 64 * 1024
ALLOWED_GROWTH_MIB: Final = 32.0
_MAX_S: Final = 1200.0
_COLUMNS: Final = [
    "object MiB",
    "up MiB/s",
    "memory up",
    "file up",
    "down MiB/s",
    "memory down",
    "file down",
    "carried MiB/s",
    "peak MiB",
    "growth MiB",
    "allowed MiB",
    "memory growth",
]


def measure(sizes_mib: tuple[int, ...] = (1, 100, 1024)) -> Table:
    """Return the table.

    Args:
        sizes_mib: the objects' sizes, MiB.
    """
    table = Table("Blobstore: objects through a guest into a folder, and back", list(_COLUMNS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 3 * max(sizes_mib) * _MIB:
            table.notes.append(f"there is no room for objects of {max(sizes_mib)} MiB in the temporary folder")
            return table
        try:
            in_folder = _guest(f"file:///{folder / 'store'}", sizes_mib)
            in_memory = _guest("memory", [size for size in sizes_mib if size <= _MEMORY_MIB])
            nothing: dict[str, Any] = {}
            for found, memory in zip_longest(in_folder, in_memory, fillvalue=nothing):
                plain = _file(folder / "file", found["size_mib"])
                table.rows.append(_row(found, memory, *plain))
        except Failed as error:
            table.notes.append(str(error))
    table.notes += [
        "up: write-data, pieces of 64 KiB, finish, which waits for the disk; down: one stream; each size once",
        "carried: the guest has the host carry the object into another one (`splice`), which waits for the disk",
        "peak: of the whole process with its guest; growth: of the peak since the smallest object, by all three ways",
        "memory growth: the same with the store in memory, without its two objects; below 0: starting took more",
        f"memory: the same guest on the store in memory, so the engine's part of it; not above {_MEMORY_MIB} MiB",
        "file: Python writes the same pieces, waits for the disk and reads them; what it reads is cached",
    ]
    return table


def _row(found: dict[str, Any], memory: dict[str, Any], file_up_s: float, file_down_s: float) -> list[Cell]:
    size = found["size_mib"]
    return [
        str(size),
        size / found["up_s"],
        size / memory["up_s"] if memory else None,
        size / file_up_s,
        size / found["down_s"],
        size / memory["down_s"] if memory else None,
        size / file_down_s,
        size / found["carried_s"],
        found["peak_mib"],
        found["growth_mib"],
        ALLOWED_GROWTH_MIB,
        memory.get("growth_mib"),
    ]


def _guest(store: str, sizes_mib: Sequence[int]) -> list[dict[str, Any]]:
    """Have a process of its own measure; return what it found for each size."""
    sizes = [str(size) for size in sizes_mib]
    command = [sys.executable, "-m", "bench.blobstore_process", store, *sizes]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment(), timeout=_MAX_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = error.stderr if isinstance(error.stderr, str) else ""
        msg = f"the guest failed: {error}\n{said}"
        raise Failed(msg) from None
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _file(path: Path, size_mib: int) -> tuple[float, float]:
    """Return how long writing and reading a plain file take, in seconds."""
    piece, count = bytes(_PIECE_BYTES), size_mib * _MIB // _PIECE_BYTES
    began_s = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(piece)
        os.fsync(file.fileno())
    up_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(_PIECE_BYTES):
            pass
    down_s = time.perf_counter() - began_s
    path.unlink()
    return up_s, down_s
