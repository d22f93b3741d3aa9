"""Rules for several calls and several clients at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from qwasr_vault.compliance._lockers import fresh_locker, fresh_name

if TYPE_CHECKING:
    from qwasr_vault.protocol import Vault

__all__ = ["TogetherRules"]

_CALLS = 24
_ROUNDS = 5  # each lets the calls get further before half of them are cancelled
_LONG = 16 * 1024


class TogetherRules:
    """What holds when many ask at once.

    Attributes:
        kept_s: how long the backend may keep what it read, as its documentation says, in seconds.
    """

    kept_s: ClassVar[float] = 0.0

    async def test_what_one_client_sets_another_reads(self, backend: Vault, another: Vault) -> None:
        name = fresh_name()
        ours, theirs = await backend.open_locker(name), await another.open_locker(name)
        await ours.set("name", b"old")
        assert await theirs.get("name") == b"old"
        await ours.set("name", b"new")
        await asyncio.sleep(self.kept_s)
        assert await theirs.get("name") == b"new", "an old secret is kept too long"
        await ours.delete("name")
        await asyncio.sleep(self.kept_s)
        assert await theirs.get("name") is None, "a deleted secret is kept too long"

    async def test_concurrent_sets_of_many_names_all_arrive(self, backend: Vault, another: Vault) -> None:
        name = fresh_name()
        lockers = await backend.open_locker(name), await another.open_locker(name)
        async with asyncio.TaskGroup() as group:
            for number in range(_CALLS):
                group.create_task(lockers[number % 2].set(f"name-{number}", b"%d" % number))
        assert [await lockers[0].get(f"name-{number}") for number in range(_CALLS)] == [
            b"%d" % n for n in range(_CALLS)
        ]

    async def test_a_reader_sees_the_old_secret_or_the_new_one(self, backend: Vault, another: Vault) -> None:
        name = fresh_name()
        ours, theirs = await backend.open_locker(name), await another.open_locker(name)
        values = [letter * _LONG for letter in (b"a", b"b")]
        await ours.set("name", values[0])
        done = False

        async def read() -> None:
            while not done:
                assert await theirs.get("name") in values, "a secret is seen while it is written"
                await asyncio.sleep(0)

        reading = [asyncio.create_task(read()) for _ in range(4)]
        for number in range(_CALLS):
            await ours.set("name", values[number % 2])
        done = True
        await asyncio.gather(*reading)

    async def test_cancelled_calls_leave_others_their_own_answers(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        for number in range(_CALLS):
            await locker.set(f"name-{number}", b"%d" % number)
        for turns in range(_ROUNDS):
            tasks = [asyncio.create_task(locker.get(f"name-{number}")) for number in range(_CALLS)]
            for turn in range(turns):
                await asyncio.sleep(0 if turn < 3 else 0.0005)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            answers = [task.result() for task in tasks[1::2]]
            assert answers == [b"%d" % number for number in range(1, _CALLS, 2)], "answers are mixed up"
        for number in range(_CALLS):
            assert await locker.get(f"name-{number}") == b"%d" % number, "a later call got a cancelled one's answer"
