"""A process that uses a broker in a file, and says on standard output what was acknowledged; tests kill it.

`python broker_process.py publish FILE FIRST COUNT`: publishes the numbers from FIRST to `numbers`, sixteen at a time.
`python broker_process.py handle FILE`: receives them for the group `g`, and writes each before it acknowledges it.
"""

from __future__ import annotations

import asyncio
import os
import sys

from qwasr_messaging import Message, Policy, Sqlite, SqliteOptions

_AT_ONCE = 16


async def publish(broker: Sqlite, first: int, count: int) -> None:
    """Publish; one line for each number that was acknowledged."""
    numbers = iter(range(first, first + count))

    async def one_after_another() -> None:
        for number in numbers:
            await broker.publish("numbers", Message(b"%d" % number, None, (("key", str(number % 8)),)))
            os.write(1, b"%d\n" % number)  # at once: what is buffered dies with the process

    await asyncio.gather(*(one_after_another() for _ in range(_AT_ONCE)))


async def handle(broker: Sqlite) -> None:
    """Receive until there is nothing for a while; one line for each number."""
    subscription = await broker.subscribe("g", ["numbers"], Policy(lease_s=1.0, max_deliveries=100))

    async def one_after_another() -> None:
        while delivery := await subscription.receive(wait_s=2.0):
            os.write(1, b"%b\n" % delivery.message.data)
            await delivery.ack()

    await asyncio.gather(*(one_after_another() for _ in range(_AT_ONCE)))


async def main(what: str, path: str, *numbers: int) -> None:
    """Do one of both."""
    broker = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{path}", lock_timeout_s=10, queue=1_000_000))
    await (publish(broker, *numbers) if what == "publish" else handle(broker))
    await broker.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
