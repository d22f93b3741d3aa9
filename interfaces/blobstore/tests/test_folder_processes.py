"""The folder survives the processes that write to it, and they share it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interfaces.blobstore.tests.folder_writer import content
from qwasr_blobstore import ContainerExists, Folder, FolderOptions
from qwasr_blobstore.compliance._stored import all_names, get

if TYPE_CHECKING:
    from qwasr_blobstore import Container

WRITER = Path(__file__).with_name("folder_writer.py")
WRITES = 150


async def writer(path: Path, first: int = 0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), str(path), str(first), str(WRITES), stdout=asyncio.subprocess.PIPE
    )


async def opened(path: Path) -> tuple[Folder, Container]:
    store = await Folder.connect(FolderOptions(url=f"file:///{path}"))
    return store, await store.get_container("c")


async def check(container: Container) -> set[int]:
    """See that every object is whole; return the numbers of those that are there."""
    found = set()
    for name in await all_names(container):
        data = await get(container, name)
        number = int.from_bytes(data[:8], "big")
        assert data == content(number), f"{name} is not whole"
        assert name in ("shared", f"object-{number}")
        found.add(number)
    return found


@pytest.mark.parametrize("after", [1, 20, 60])
async def test_every_acknowledged_object_is_there_whole_after_a_kill_in_the_middle(tmp_path: Path, after: int) -> None:
    process = await writer(tmp_path / "store")
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    acknowledged += (await process.stdout.read()).splitlines()
    await process.wait()
    assert len(acknowledged) < WRITES, "it was killed after its end"
    store, container = await opened(tmp_path / "store")
    assert await check(container) >= {int(line) for line in acknowledged}
    await store.close()


async def test_four_processes_write_to_one_folder_while_it_is_read(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    container = await store.create_container("c")
    processes = [await writer(tmp_path / "store", first) for first in range(0, 4 * WRITES, WRITES)]
    ended = asyncio.gather(*(process.communicate() for process in processes))
    while not ended.done():
        await check(container)
        await asyncio.sleep(0.01)
    await ended
    assert [process.returncode for process in processes] == [0] * 4
    assert await check(container) == set(range(4 * WRITES))
    assert list((tmp_path / "store" / ".unfinished").iterdir()) == []
    await store.close()


async def test_of_two_processes_that_make_a_container_one_does(tmp_path: Path) -> None:
    one = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    other = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    for number in range(20):
        results = await asyncio.gather(
            *(store.create_container(f"c-{number}") for store in (one, other, one, other)), return_exceptions=True
        )
        assert sum(isinstance(result, ContainerExists) for result in results) == 3
    await one.close()
    await other.close()


async def test_long_names_whose_folders_come_and_go_do_not_get_lost(tmp_path: Path) -> None:
    one = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
    other = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
    mine, theirs = await one.create_container("c"), await other.get_container("c")

    async def come_and_go(container: Container, last: str) -> None:
        for number in range(150):
            name = f"{'n' * 700}{last}{number % 3}"
            made = await container.write(name)
            await made.write(name.encode())
            await made.commit()
            assert await get(container, name) == name.encode()
            await container.delete_objects([name])

    workers = [(mine, "a"), (mine, "b"), (theirs, "c"), (theirs, "d")]
    await asyncio.gather(*(come_and_go(container, last) for container, last in workers))
    assert await all_names(mine) == []
    await one.close()
    await other.close()
