"""A process whose guest handles objects of growing size; it prints its peak memory after each, in MiB.

`python -m interfaces.blobstore.tests.growth STORE WHAT SIZE_MIB…`: the store is the path of a folder, or `memory`, of
which the objects are not counted. What: `carry`, the host carries an object into another one; `write-first` and
`write-last`, the guest writes one and says before that or after it which one; `read`, the guest reads one.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path
from typing import Final

from interfaces.blobstore.tests.guest_text import text
from interfaces.blobstore.tests.guests import AFTER, FIRST
from qwasr.runtime import Runtime
from qwasr_blobstore import Folder, FolderOptions, Memory, MemoryOptions
from qwasr_blobstore.compliance._stored import put

MIB: Final = 1024 * 1024
PIECE_BYTES: Final = 65536
ENVIRON: Final = {"QWASR_CACHE_DIR": "off", "QWASR_GUEST_TIMEOUT_S": "3600", "QWASR_GUEST_CPU_S": "3600"}


class Ones(bytes):
    """As many ones as one likes: a slice of them is made when it is asked for. Zeroes would take no memory."""

    size = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: object) -> bytes:  # type: ignore[override]
        assert isinstance(part, slice)
        size: int = min(part.stop, self.size) - part.start
        return b"\x01" * size


def peak_mib() -> float:
    """Return the most memory that this process ever had, MiB; not that of the program that it was before."""
    told = Path("/proc/self/status")
    if told.exists():
        line = next(line for line in told.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


async def main(where: str, what: str, sizes_mib: list[int]) -> None:
    """Handle objects; print the peaks."""
    store: Folder | Memory
    if where == "memory":
        store = Memory(MemoryOptions(max_bytes=2**40))
    else:
        store = await Folder.connect(FolderOptions(url=f"file:///{where}", durable=False))
    container = await store.create_container("c")
    async with Runtime(text(), backends={"blobstore": store}, environ=ENVIRON) as runtime:
        for size in sizes_mib:
            if what in ("carry", "read"):
                ones = Ones()
                ones.size = size * MIB
                await put(container, "o", ones)
            if what == "carry":
                await runtime.call(None, "carry", "c", "o", "p")
            elif what == "read":
                assert await runtime.call(None, "drain", "c", "o") == size * MIB
            else:
                order = FIRST if what == "write-first" else AFTER
                await runtime.call(None, "fill", "c", "p", PIECE_BYTES, size * MIB // PIECE_BYTES, order)
            assert (await container.object_info("o" if what == "read" else "p")).size == size * MIB
            print(peak_mib() - (store.used_bytes / MIB if isinstance(store, Memory) else 0))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3:]]))
