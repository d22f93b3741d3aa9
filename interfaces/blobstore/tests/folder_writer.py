"""A process that writes to a folder and says on standard output what was acknowledged; a test kills it.

`python folder_writer.py FOLDER FIRST COUNT`: writes the objects `object-FIRST` …, and all the time `shared` anew, four
at once. Each object is its number, 50 000 times.
"""

from __future__ import annotations

import asyncio
import os
import sys

from qwasr_blobstore import ContainerExists, Folder, FolderOptions

_AT_ONCE = 4
_TIMES = 50_000


def content(number: int) -> bytes:
    """Return an object's bytes."""
    return number.to_bytes(8, "big") * _TIMES


async def main(path: str, first: int, count: int) -> None:
    """Write; one line for each object that was acknowledged."""
    store = await Folder.connect(FolderOptions(url=f"file:///{path}"))
    try:
        container = await store.create_container("c")
    except ContainerExists:
        container = await store.get_container("c")
    numbers = iter(range(first, first + count))

    async def write() -> None:
        for number in numbers:
            for name in ("shared", f"object-{number}"):
                writer = await container.write(name)
                data = content(number)
                for at in range(0, len(data), 100_000):
                    await writer.write(data[at : at + 100_000])
                await writer.commit()
            os.write(1, b"%d\n" % number)  # at once: what is buffered dies with the process

    await asyncio.gather(*(write() for _ in range(_AT_ONCE)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
