"""Rules for calls that nobody waits for any more: a guest ended, or the time of its call was up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr_keyvalue.compliance._buckets import fresh_bucket

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["CancelledRules"]

_CALLS = 40
_ROUNDS = 6  # each lets the calls get further before half of them are cancelled


class CancelledRules:
    """What holds when calls are cancelled."""

    async def test_cancelled_calls_leave_others_their_own_answers(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([(f"key-{number}", b"%d" % number) for number in range(_CALLS)])
        for turns in range(_ROUNDS):
            tasks = [asyncio.create_task(bucket.get(f"key-{number}")) for number in range(_CALLS)]
            await self._turns(turns)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            answers = [task.result() for task in tasks[1::2]]
            assert answers == [b"%d" % number for number in range(1, _CALLS, 2)], "answers are mixed up"
        for number in range(_CALLS):
            assert await bucket.get(f"key-{number}") == b"%d" % number, "a later call got the answer of a cancelled one"

    async def test_cancelled_increments_count_once_or_not_at_all(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        finished = begun = 0
        for turns in range(_ROUNDS):
            tasks = [asyncio.create_task(bucket.increment("counter", 1)) for _ in range(_CALLS)]
            await self._turns(turns)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            begun += _CALLS
            finished += sum(not task.cancelled() for task in tasks)
        await asyncio.sleep(0.1)  # one that is under way may still arrive
        assert finished <= int(await bucket.get("counter") or b"0") <= begun

    async def _turns(self, turns: int) -> None:
        for turn in range(turns):
            await asyncio.sleep(0 if turn < 3 else 0.0005)
