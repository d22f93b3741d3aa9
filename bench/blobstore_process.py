"""One guest that writes and reads objects of growing size in a folder; a line of JSON for each size.

`python -m bench.blobstore_process FOLDER SIZE_MIB…`
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Final

from interfaces.blobstore.tests.guest_text import text
from qwasr.runtime import Runtime

_MIB: Final = 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024
_MEMORY_MIB: Final = 100  # the largest object of the store in memory
_FIRST: Final = 0  # write-data comes before the bytes


def peak_mib() -> float:
    """Return the most memory that this process ever had, MiB; not that of the program that it was before."""
    told = Path("/proc/self/status")
    if told.exists():
        line = next(line for line in told.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


async def main(folder: str, sizes_mib: list[int]) -> None:
    """Measure, and print; the folder comes first, so that the other store's objects are not in its peak."""
    found = await on_store(f"file:///{folder}", sizes_mib)
    memory = await on_store("memory", [size for size in sizes_mib if size <= _MEMORY_MIB])
    for number, figures in enumerate(found):
        others = memory[number] if number < len(memory) else {}
        print(json.dumps(figures | {f"memory_{name}": others.get(name) for name in ("up_s", "down_s")}))


async def on_store(store: str, sizes_mib: list[int], order: int = _FIRST) -> list[dict[str, float | None]]:
    """Return the figures of one store, for each size."""
    environ = {
        "QWASR_CACHE_DIR": "off",
        "QWASR_BLOBSTORE": store,
        "QWASR_GUEST_TIMEOUT_S": "3600",
        "QWASR_GUEST_CPU_S": "3600",
    }
    found: list[dict[str, float | None]] = []
    async with Runtime(text(), environ=environ) as runtime:
        await runtime.call(None, "create", "bench")
        first_mib = 0.0
        for size in sizes_mib:
            began_s = time.perf_counter()
            await runtime.call(None, "fill", "bench", "object", _PIECE_BYTES, size * _MIB // _PIECE_BYTES, order)
            up_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await runtime.call(None, "drain", "bench", "object")
            down_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await runtime.call(None, "carry", "bench", "object", "copy")
            carried_s = time.perf_counter() - began_s
            await runtime.call(None, "clear", "bench")
            peak = peak_mib()
            first_mib = first_mib or peak
            growth = peak - first_mib
            times = {"up_s": up_s, "down_s": down_s, "carried_s": carried_s}
            found.append({"size_mib": size, **times, "peak_mib": peak, "growth_mib": growth})
    return found


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(size) for size in sys.argv[2:]]))
