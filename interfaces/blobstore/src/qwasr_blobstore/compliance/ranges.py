"""Rules for ranges: both ends are included, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore.compliance._stored import END, fresh_container, get, pattern, put, same
from qwasr_blobstore.errors import InvalidRange, NoSuchObject

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["RangeRules"]

_LARGE_BYTES = 3_000_000


class RangeRules:
    """What holds for parts of objects."""

    @pytest.mark.parametrize(
        ("start", "end", "part"),
        [(0, 0, b"0"), (0, 9, b"0123456789"), (3, 5, b"345"), (9, 9, b"9"), (5, 8, b"5678"), (1, 9, b"123456789")],
    )
    async def test_both_ends_of_a_range_are_included(
        self, backend: Blobstore, start: int, end: int, part: bytes
    ) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"0123456789")
        assert await get(container, "object", start, end) == part
        reader = await container.read("object", start, end)
        assert reader.size == len(part)
        reader.close()

    @pytest.mark.parametrize("end", [10, 11, 2**31, 2**32, 2**63, END])
    async def test_an_end_behind_the_objects_is_the_objects(self, backend: Blobstore, end: int) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"0123456789")
        assert await get(container, "object", 4, end) == b"456789"
        reader = await container.read("object", 4, end)
        assert reader.size == 6
        reader.close()

    async def test_a_range_that_begins_after_its_end_is_an_error(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"0123456789")
        for start, end in ((5, 4), (1, 0), (END, 0)):
            with pytest.raises(InvalidRange):
                await container.read("object", start, end)

    async def test_a_range_that_begins_behind_the_object_is_an_error(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"0123456789")
        for start, end in ((10, 10), (10, END), (2**32, 2**32), (END, END)):
            with pytest.raises(InvalidRange):
                await container.read("object", start, end)

    async def test_of_an_empty_object_any_range_from_its_beginning_is_empty(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"")
        for end in (0, 9, END):
            assert await get(container, "object", 0, end) == b""
        with pytest.raises(InvalidRange):
            await container.read("object", 1, END)

    async def test_ranges_of_a_large_object_are_right_at_every_place(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        data = pattern(_LARGE_BYTES)
        await put(container, "object", data)
        places = [0, 1, 65_535, 65_536, 262_143, 262_144, 1_048_575, 1_048_576, 2_999_998, 2_999_999]
        for start in places:
            for end in places:
                if start <= end:
                    assert same(await get(container, "object", start, end), data[start : end + 1]), (start, end)

    async def test_a_range_of_a_missing_object_is_no_such_object(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        with pytest.raises(NoSuchObject):
            await container.read("missing", 0, 0)
