"""One guest that writes and reads objects of growing size in a folder; a line of JSON for each size.

`python -m bench.blobstore_process FOLDER SIZE_MIB…`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

from interfaces.blobstore.tests.growth import peak_mib
from interfaces.blobstore.tests.guest_text import text
from interfaces.blobstore.tests.guests import FIRST
from qwasr.runtime import Runtime

_MIB: Final = 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024
_MEMORY_MIB: Final = 100  # the largest object of the store in memory


async def main(folder: str, sizes_mib: list[int]) -> None:
    """Measure, and print; the folder comes first, so that the other store's objects are not in its peak."""
    found = await on_store(f"file:///{folder}", sizes_mib)
    memory = await on_store("memory", [size for size in sizes_mib if size <= _MEMORY_MIB], objects_in_memory=2)
    for number, figures in enumerate(found):
        others = memory[number] if number < len(memory) else {}
        print(json.dumps(figures | {f"memory_{name}": others.get(name) for name in ("up_s", "down_s", "growth_mib")}))


async def on_store(store: str, sizes_mib: list[int], objects_in_memory: int = 0) -> list[dict[str, float | None]]:
    """Return the figures of one store, for each size.

    Args:
        store: what `QWASR_BLOBSTORE` says.
        sizes_mib: the objects' sizes, MiB; the smallest first.
        objects_in_memory: how many objects of the size this process holds itself, which are not counted as growth.
    """
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
            await runtime.call(None, "fill", "bench", "object", _PIECE_BYTES, size * _MIB // _PIECE_BYTES, FIRST)
            up_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await runtime.call(None, "drain", "bench", "object")
            down_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await runtime.call(None, "carry", "bench", "object", "copy")
            carried_s = time.perf_counter() - began_s
            await runtime.call(None, "clear", "bench")
            peak = peak_mib()
            beside_mib = peak - objects_in_memory * size
            first_mib = first_mib or beside_mib
            growth = beside_mib - first_mib
            times = {"up_s": up_s, "down_s": down_s, "carried_s": carried_s}
            found.append({"size_mib": size, **times, "peak_mib": peak, "growth_mib": growth})
    return found


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(size) for size in sys.argv[2:]]))
