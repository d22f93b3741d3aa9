"""The encrypted file survives the processes that write to it, and they share it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from interfaces.vault.tests.files import KEY, opened

WRITER = Path(__file__).with_name("file_writer.py")
ENDLESS = 10_000


async def writer(path: Path, name: str, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), str(path), KEY.hex(), name, str(count), stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("after", [1, 2, 7, 20, 33, 60])
async def test_every_acknowledged_secret_is_there_after_a_kill_in_the_middle(tmp_path: Path, after: int) -> None:
    path = tmp_path / "vault"
    process = await writer(path, "w", ENDLESS)
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    acknowledged += (await process.stdout.read()).splitlines()
    await process.wait()
    secrets = opened(path).read()["l"]
    numbers = [int(line) for line in acknowledged]
    assert [secrets.get(f"w-{number:05}") for number in numbers] == [b"%d" % number for number in numbers]
    assert len(numbers) <= len(secrets) - ("shared" in secrets) <= len(numbers) + 4, "four were under way"


async def test_a_vault_whose_maker_is_killed_can_be_opened(tmp_path: Path) -> None:
    for delay_ms in range(150, 350, 40):
        path = tmp_path / f"vault-{delay_ms}"
        process = await writer(path, "w", ENDLESS)
        await asyncio.sleep(delay_ms / 1000)
        process.kill()
        await process.communicate()
        opened(path).read()


async def test_three_processes_write_to_one_file_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    count = 40
    processes = [await writer(path, name, count) for name in "abc"]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    secrets = opened(path).read()["l"]
    assert secrets.pop("shared") in (b"a" * 100, b"b" * 100, b"c" * 100)
    assert secrets == {f"{name}-{number:05}": b"%d" % number for name in "abc" for number in range(count)}


async def test_two_processes_that_make_the_vault_at_once_share_it(tmp_path: Path) -> None:
    for round_number in range(5):
        path = tmp_path / f"vault-{round_number}"
        processes = [await writer(path, name, 1) for name in "ab"]
        await asyncio.gather(*(process.communicate() for process in processes))
        assert [process.returncode for process in processes] == [0, 0]
        assert {"a-00000", "b-00000"} <= set(opened(path).read()["l"])
