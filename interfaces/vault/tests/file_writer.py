"""A process that sets secrets and says on standard output what was acknowledged; a test kills it.

`python file_writer.py FILE KEY NAME COUNT`: sets `NAME-0` … in the locker `l`, four at a time, and `shared` to each
name in turn.
"""

from __future__ import annotations

import asyncio
import os
import sys

from qwasr_vault import EncryptedFile, FileOptions

_AT_ONCE = 4


async def main(path: str, key: str, name: str, count: int) -> None:
    """Write; one line for each secret that was acknowledged."""
    vault = await EncryptedFile.connect(FileOptions(url=f"file:///{path}", key=key, timeout_s=30))
    locker = await vault.open_locker("l")
    numbers = iter(range(count))

    async def write() -> None:
        for number in numbers:
            await locker.set(f"{name}-{number:05}", b"%d" % number)
            os.write(1, b"%d\n" % number)  # at once: what is buffered dies with the process
            await locker.set("shared", name.encode() * 100)

    await asyncio.gather(*(write() for _ in range(_AT_ONCE)))
    await vault.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
