"""A mounted folder in a test's hands: descriptors without a guest, and short names for what one does with them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.files.mounts import Mount, Mounts, MountSpec
from qwasr_wasi.filesystem import Descriptor, Preopens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NO: frozenset[str] = frozenset()
FOLLOW = frozenset({"symlink-follow"})
READ = frozenset({"read"})
WRITE = frozenset({"write"})
BOTH = READ | WRITE
CREATE = frozenset({"create"})
NO_CHANGE = Variant("no-change")
NOW = Variant("now")


@asynccontextmanager
async def mounted(
    path: Path, access: str = "rw", *, max_bytes: int | None = None, **options: Any
) -> AsyncIterator[Any]:
    """One folder as a guest gets it; at the end nothing may be open any more."""
    before = open_numbers()
    mounts = Mounts(
        [MountSpec(path, "/data", access == "rw")],
        max_bytes=max_bytes,
        **{"max_open": 64, "max_open_each": 64, "threads": 4, **options},
    )
    system: Any = SimpleNamespace(mounts=mounts)
    backends: Any = SimpleNamespace(default=system)
    ((root, name),) = Preopens(backends).get_directories()
    assert name == "/data"
    try:
        yield root
    finally:
        root.drop()
        await mounts.close()
    assert mounts.places.taken == 0
    assert open_numbers() <= before  # less where something of an earlier test was collected meanwhile


def mount_of(root: Descriptor) -> Mount:
    return root._mount


async def code(awaitable: Any) -> Any:
    """The error code that a call answers."""
    with pytest.raises(WitError) as caught:
        await done(awaitable)
    return caught.value.value


def code_now(function: Any, *arguments: Any) -> Any:
    with pytest.raises(WitError) as caught:
        function(*arguments)
    return caught.value.value


async def done(result: Any) -> Any:
    return await result if isawaitable(result) else result


async def make(root: Descriptor, path: str, data: bytes = b"") -> Descriptor:
    """A new file, open for reading and writing."""
    file = await root.open_at(NO, path, CREATE, BOTH)
    if data:
        assert await file.write(data, 0) == len(data)
    return file


async def content(root: Descriptor, path: str) -> bytes:
    file = await root.open_at(NO, path, NO, READ)
    try:
        data, _ = await file.read(2**32, 0)
        assert isinstance(data, bytes)
        return data
    finally:
        file.drop()


async def names(folder: Descriptor) -> dict[str, str]:
    """What is in a folder: names with their types."""
    stream = await folder.read_directory()
    found = {}
    while (entry := await stream.read_directory_entry()) is not None:
        found[entry.name] = entry.type
    stream.drop()
    return found


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def open_numbers() -> int:
    """How many files this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


async def closed(root: Descriptor, left: int = 0) -> None:
    """Returns when so many files are open: they are closed in threads."""
    while mount_of(root).mounts.places.taken > left:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)


def fixed_system(*mounts: str) -> FixedSystem:
    return FixedSystem(mounts=mounts)
