"""Containers and objects for the rules."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwasr_blobstore.protocol import Blobstore, Container, NamePage, Reader

__all__ = [
    "END",
    "MAX_PIECE_BYTES",
    "all_names",
    "fresh_container",
    "fresh_name",
    "get",
    "pages",
    "pattern",
    "put",
    "put_all",
    "rest",
    "same",
]

END: Final = 2**64 - 1
MAX_PIECE_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 64


def fresh_name() -> str:
    """Return a container's name that nobody else uses."""
    return f"compliance-{secrets.token_hex(8)}"


async def fresh_container(backend: Blobstore) -> Container:
    """Make a container that nobody else uses."""
    return await backend.create_container(fresh_name())


def pattern(size: int, seed: int = 0) -> bytes:
    """Return bytes that are not the same anywhere, as far as a rule can tell."""
    block = b"".join((number + seed).to_bytes(4, "big") for number in range(min(size, 65536) // 4 + 1))
    blocks = (number.to_bytes(8, "big") + block for number in range(size // len(block) + 1))
    return b"".join(blocks)[:size]


def same(actual: bytes, expected: bytes) -> bool:
    """Say whether the bytes are equal; where they are megabytes, pytest would take minutes to show how they differ."""
    return actual == expected


async def put(container: Container, name: str, data: bytes, *, piece: int = 256 * 1024) -> None:
    """Write an object."""
    writer = await container.write(name)
    try:
        for at in range(0, len(data), piece):
            await writer.write(data[at : at + piece])
        await writer.commit()
    except BaseException:
        writer.abort()
        raise


async def put_all(container: Container, names: Iterable[str]) -> None:
    """Write empty objects."""
    left = iter(names)

    async def work() -> None:
        for name in left:
            await put(container, name, b"")

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def rest(reader: Reader) -> bytes:
    """Return what a reader still has, and close it."""
    pieces = []
    try:
        while piece := await reader.read():
            pieces.append(piece)
    finally:
        reader.close()
    return b"".join(pieces)


async def get(container: Container, name: str, start: int = 0, end: int = END) -> bytes:
    """Read an object, or a range of it."""
    return await rest(await container.read(name, start, end))


async def pages(container: Container) -> list[NamePage]:
    """Return every page of a container's names."""
    found = [await container.list_objects(None)]
    while found[-1].cursor is not None:
        found.append(await container.list_objects(found[-1].cursor))
    return found


async def all_names(container: Container) -> list[str]:
    """Return every object's name, in the order of the pages."""
    return [name for page in await pages(container) for name in page.names]
