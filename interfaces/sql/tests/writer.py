"""A process that writes to a database and says on standard output what was acknowledged; a test kills it.

`python writer.py FILE FIRST COUNT`: inserts the numbers from FIRST, and counts each in a transaction, eight at a time.
"""

from __future__ import annotations

import asyncio
import os
import sys

from qwasr.values import Variant
from qwasr_sql.sqlite import Sqlite, SqliteOptions

_AT_ONCE = 8


async def main(path: str, first: int, count: int) -> None:
    """Write; one line for each number that was acknowledged."""
    backend = await Sqlite.connect(SqliteOptions(database=path, busy_timeout_s=20))
    database = await backend.open_database("")
    numbers = iter(range(first, first + count))

    async def write() -> None:
        for number in numbers:
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO numbers (n) VALUES (?)", [Variant("int32", number)])
                await transaction.execute("UPDATE counter SET n = n + 1")
            os.write(1, b"%d\n" % number)  # at once: what is buffered dies with the process

    await asyncio.gather(*(write() for _ in range(_AT_ONCE)))
    await backend.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
