"""Rules for memory: a store streams, whatever the size of an object, and lists page by page.

What is measured is what Python allocates (`tracemalloc`), the memory of a library in another language is not seen.
"""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from qwasr_blobstore.compliance._stored import END, fresh_container, put_all
from qwasr_blobstore.protocol import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwasr_blobstore.protocol import Blobstore, Container

__all__ = ["FlatRules"]

_MIB: Final = 1024 * 1024
_MAX_GROWTH_BYTES: Final = 32 * _MIB  # for pieces on their way, however large the object is
_LARGE_BYTES: Final = 80 * _MIB
_PIECE_BYTES: Final = 256 * 1024
_NAMES: Final = 1000  # of a page
_PAGES: Final = 3
_NAME: Final = "n" * 150
_SLACK_BYTES: Final = 80 * 1024  # less than half of a page


class FlatRules:
    """What holds for memory.

    Attributes:
        times_in_memory: how often an object that is stored is in this process's memory: once in a store in memory.
    """

    times_in_memory: ClassVar[int] = 0

    async def test_a_large_object_is_written_in_little_memory(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        with _growth() as growth:
            await _fill(container, "object")
        assert (await container.object_info("object")).size == _LARGE_BYTES
        self._check(growth, objects=1)

    async def test_a_large_object_is_read_in_little_memory(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await _fill(container, "object")
        with _growth() as growth:
            reader = await container.read("object", 0, END)
            size = 0
            while piece := await reader.read():
                size += len(piece)
            reader.close()
        assert size == _LARGE_BYTES
        self._check(growth, objects=0)

    async def test_a_large_object_is_copied_in_little_memory(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await _fill(container, "object")
        with _growth() as growth:
            await backend.copy_object(ObjectId(container.name, "object"), ObjectId(container.name, "copy"))
        assert (await container.object_info("copy")).size == _LARGE_BYTES
        self._check(growth, objects=1)

    async def test_a_listing_holds_no_more_than_a_page(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        needed = []
        for page in range(_PAGES):
            await put_all(container, [f"{_NAME}{page * _NAMES + number:05}" for number in range(_NAMES)])
            with _growth() as growth:
                await _follow(container)
            needed.append(growth.peak_bytes)
        assert needed[-1] <= needed[0] + _SLACK_BYTES, f"{_PAGES} pages need {needed[-1]} bytes, one {needed[0]}"

    def _check(self, growth: _Growth, *, objects: int) -> None:
        allowed = _MAX_GROWTH_BYTES + objects * self.times_in_memory * _LARGE_BYTES
        assert growth.peak_bytes <= allowed, (
            f"it took {growth.peak_bytes / _MIB:.0f} MiB for an object of {_LARGE_BYTES // _MIB} MiB"
        )


class _Growth:
    """How much memory something needed at its peak, besides what there was before."""

    peak_bytes = 0


@contextmanager
def _growth() -> Iterator[_Growth]:
    found = _Growth()
    gc.collect()
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before_bytes, _ = tracemalloc.get_traced_memory()
        yield found
        _, peak_bytes = tracemalloc.get_traced_memory()
        found.peak_bytes = peak_bytes - before_bytes
    finally:
        if ours:
            tracemalloc.stop()


async def _fill(container: Container, name: str) -> None:
    """Write a large object of which there never is more than a piece here."""
    writer = await container.write(name)
    try:
        for number in range(_LARGE_BYTES // _PIECE_BYTES):
            await writer.write(number.to_bytes(8, "big") * (_PIECE_BYTES // 8))
        await writer.commit()
    except BaseException:
        writer.abort()
        raise


async def _follow(container: Container) -> None:
    """Follow a listing to its end, and keep nothing of it."""
    cursor = (await container.list_objects(None)).cursor
    while cursor is not None:
        cursor = (await container.list_objects(cursor)).cursor
