"""The vault in memory: its bound, and that it ends with its process."""

from __future__ import annotations

import asyncio

import pytest

from qwasr_vault import Memory, MemoryOptions, TooLarge


async def test_a_secret_above_the_bound_is_refused_and_nothing_changes() -> None:
    vault = Memory(MemoryOptions(max_bytes=1024))
    locker = await vault.open_locker("l")
    await locker.set("a", bytes(500))
    for name, size in (("a", 1000), ("b", 300)):
        with pytest.raises(TooLarge, match="QWASR_VAULT_MEMORY_BYTES"):
            await locker.set(name, bytes(size))
    assert await locker.get("a") == bytes(500)
    assert await locker.list_ids() == ["a"]


async def test_what_is_deleted_or_smaller_makes_room() -> None:
    vault = Memory(MemoryOptions(max_bytes=1024))
    locker = await vault.open_locker("l")
    await locker.set("a", bytes(700))
    await locker.set("a", bytes(10))
    await locker.set("b", bytes(400))
    await locker.delete("b")
    await locker.set("c", bytes(400))
    await locker.delete("a")
    await locker.delete("c")
    assert vault.used_bytes == 0
    assert vault.lockers() == []


async def test_many_empty_secrets_are_bounded_too() -> None:
    vault = Memory(MemoryOptions(max_bytes=10_000))
    lockers = [await vault.open_locker(f"{number}") for number in range(100)]
    results = await asyncio.gather(*(locker.set("name", b"") for locker in lockers), return_exceptions=True)
    assert TooLarge in map(type, results)
    assert vault.used_bytes <= 10_000


async def test_opening_lockers_costs_nothing() -> None:
    vault = Memory(MemoryOptions(max_bytes=1024))
    for number in range(1000):
        await vault.open_locker(f"{number}")
    assert vault.used_bytes == 0


async def test_nothing_is_there_after_the_end() -> None:
    vault = Memory()
    await (await vault.open_locker("l")).set("name", b"value")
    await vault.close()
    assert vault.used_bytes == 0
    assert await (await vault.open_locker("l")).get("name") is None
