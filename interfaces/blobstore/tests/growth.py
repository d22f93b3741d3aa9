"""A process whose guest handles objects of growing size in a folder; it prints its peak memory after each, in MiB.

`python -m interfaces.blobstore.tests.growth FOLDER carry|write SIZE_MIB…`: `carry` has the host carry an object into
another one, `write` has the guest write one before it says which.
"""

from __future__ import annotations

import asyncio
import sys

from bench.blobstore_process import peak_mib
from interfaces.blobstore.tests.guest_text import text
from interfaces.blobstore.tests.guests import AFTER
from qwasr.runtime import Runtime
from qwasr_blobstore import Folder, FolderOptions
from qwasr_blobstore.compliance._stored import put

MIB = 1024 * 1024
PIECE_BYTES = 65536


class Zeroes(bytes):
    """As many zeroes as one likes: a slice of them is made when it is asked for."""

    size = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: object) -> bytes:  # type: ignore[override]
        assert isinstance(part, slice)
        return bytes(min(part.stop, self.size) - part.start)


async def main(folder: str, what: str, sizes_mib: list[int]) -> None:
    """Handle objects; print the peaks."""
    store = await Folder.connect(FolderOptions(url=f"file:///{folder}", durable=False))
    container = await store.create_container("c")
    async with Runtime(text(), backends={"blobstore": store}, environ={"QWASR_CACHE_DIR": "off"}) as runtime:
        for size in sizes_mib:
            if what == "carry":
                zeroes = Zeroes()
                zeroes.size = size * MIB
                await put(container, "o", zeroes)
                await runtime.call(None, "carry", "c", "o", "p")
            else:
                await runtime.call(None, "fill", "c", "p", PIECE_BYTES, size * MIB // PIECE_BYTES, AFTER)
            assert (await container.object_info("p")).size == size * MIB
            print(peak_mib())
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3:]]))
