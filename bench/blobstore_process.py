"""One guest that writes and reads objects of growing size; a line of JSON for each size.

`python -m bench.blobstore_process STORE SIZE_MIB…`: the store as `QWASR_BLOBSTORE` says it, the smallest size first.
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
_IN_MEMORY: Final = 2  # objects of each size, where the store is in memory


async def main(store: str, sizes_mib: list[int]) -> None:
    """Measure, and print; what a store in memory holds is not counted as growth."""
    held = _IN_MEMORY if store == "memory" else 0
    environ = {
        "QWASR_CACHE_DIR": "off",
        "QWASR_BLOBSTORE": store,
        "QWASR_GUEST_TIMEOUT_S": "3600",
        "QWASR_GUEST_CPU_S": "3600",
    }
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
            beside_mib = peak - held * size
            first_mib = first_mib or beside_mib
            growth = beside_mib - first_mib
            times = {"up_s": up_s, "down_s": down_s, "carried_s": carried_s}
            print(json.dumps({"size_mib": size, **times, "peak_mib": peak, "growth_mib": growth}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(size) for size in sys.argv[2:]]))
