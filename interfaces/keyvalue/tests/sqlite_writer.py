"""A process that writes to a store and says on standard output what was acknowledged; a test kills it.

`python sqlite_writer.py FILE FIRST COUNT`: sets the keys `key-FIRST` … and increments `counter`, sixteen at a time.
"""

from __future__ import annotations

import asyncio
import os
import sys

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


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
