"""A process that writes to a store and says on standard output what was acknowledged; a test kills it.

`python sqlite_writer.py FILE FIRST COUNT`: sets the keys `key-FIRST` … and increments `counter`, sixteen at a time.
With `swap` after that it swaps `swapped` for the next number COUNT times instead, and says how often it lost. Before it
begins it says that it is ready, and waits for a line.
"""

from __future__ import annotations

import asyncio
import os
import sys

from qwasr_keyvalue.protocol import Snapshot
from qwasr_keyvalue.sqlite import Sqlite, SqliteOptions

_AT_ONCE = 16


async def main(path: str, first: int, count: int) -> None:
    """Write; one line for each key that was acknowledged."""
    store = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{path}", lock_timeout_s=10))
    bucket = await store.open_bucket("b")
    numbers = iter(range(first, first + count))

    async def write() -> None:
        for number in numbers:
            await bucket.set(f"key-{number}", b"%d" % number)
            await bucket.increment("counter", 1)
            os.write(1, b"%d\n" % number)  # at once: what is buffered dies with the process

    await asyncio.gather(*(write() for _ in range(_AT_ONCE)))
    await store.close()


async def swap(path: str, count: int) -> None:
    """Count by swapping, and try again whenever another process was faster."""
    store = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{path}", lock_timeout_s=10))
    bucket = await store.open_bucket("b")
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.readline)
    lost = 0
    for _ in range(count):
        now: Snapshot | None = await bucket.snapshot("swapped")
        while now is not None:
            now = await bucket.swap("swapped", b"%d" % (int(now.value or b"0") + 1), now)
            lost += now is not None
    os.write(1, b"%d\n" % lost)
    await store.close()


if __name__ == "__main__":
    if sys.argv[4:] == ["swap"]:
        asyncio.run(swap(sys.argv[1], int(sys.argv[3])))
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
