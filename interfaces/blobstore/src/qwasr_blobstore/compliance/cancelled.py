"""Rules for calls that nobody waits for any more: a guest ended, or the time of its call was up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr_blobstore.compliance._stored import all_names, fresh_container, get, pattern, put, same

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["CancelledRules"]

_CALLS = 20
_ROUNDS = 8  # each lets the calls get further before they are cancelled
_SIZE = 700_000


class CancelledRules:
    """What holds when calls are cancelled."""

    async def test_cancelled_writes_leave_an_object_whole(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        old = pattern(_SIZE)
        await put(container, "object", old)
        each = {old}
        for turn in range(_ROUNDS):
            data = pattern(_SIZE + turn, seed=turn + 1)
            task = asyncio.create_task(put(container, "object", data, piece=100_000))
            await _turns(turn)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            each.add(data)
            assert await get(container, "object") in each, "a piece of an object became visible"
        assert await all_names(container) == ["object"]

    async def test_cancelled_calls_leave_others_their_own_answers(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        for number in range(_CALLS):
            await put(container, f"object-{number}", b"%d" % number)
        for turn in range(_ROUNDS):
            tasks = [asyncio.create_task(get(container, f"object-{number}")) for number in range(_CALLS)]
            await _turns(turn)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            answers = [task.result() for task in tasks[1::2]]
            assert answers == [b"%d" % number for number in range(1, _CALLS, 2)], "answers are mixed up"

    async def test_a_reader_may_be_closed_after_a_cancelled_read(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        data = pattern(_SIZE)
        await put(container, "object", data)
        for turn in range(_ROUNDS):
            reader = await container.read("object", 0, _SIZE)
            task = asyncio.create_task(reader.read())
            await _turns(turn)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            reader.close()
            assert same(await get(container, "object"), data)


async def _turns(count: int) -> None:
    """Let everything get on for some turns of the event loop, then for longer and longer."""
    for _ in range(min(count, 4)):
        await asyncio.sleep(0)
    if count > 4:
        await asyncio.sleep(0.001 * 2 ** (count - 4))
