"""Rules for objects: what is written is read, whole or not at all."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore.compliance._stored import (
    END,
    MAX_PIECE_BYTES,
    all_names,
    fresh_container,
    get,
    pattern,
    put,
    rest,
    same,
)
from qwasr_blobstore.errors import NoSuchObject

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["ObjectRules"]

_CLOCKS_S = 3600  # a service's clock may be wrong
_LARGE_BYTES = 5 * 1024 * 1024 + 1  # more than any piece


class ObjectRules:
    """What holds for single objects."""

    async def test_a_written_object_is_read_back(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        assert await get(container, "object") == b"value"

    @pytest.mark.parametrize("size", [0, 1, 65_536, 1_048_577, _LARGE_BYTES])
    async def test_an_object_is_any_number_of_bytes(self, backend: Blobstore, size: int) -> None:
        container = await fresh_container(backend)
        data = pattern(size)
        await put(container, "object", data)
        assert same(await get(container, "object"), data)
        assert (await container.object_info("object")).size == size

    async def test_an_object_is_any_bytes(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        for number, value in enumerate((b"\x00", b"\r\n", bytes(range(256)), b"\xff\xfe", b"\x80abc", b"  ")):
            await put(container, f"object-{number}", value)
            assert same(await get(container, f"object-{number}"), value)

    async def test_pieces_of_any_size_are_one_object(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        data = pattern(100_000)
        await put(container, "object", data, piece=777)
        assert same(await get(container, "object"), data)
        writer = await container.write("object")
        for piece in (b"", data, b"", b"end"):
            await writer.write(piece)
        await writer.commit()
        assert same(await get(container, "object"), data + b"end")

    async def test_what_is_read_is_bytes_of_at_most_a_mebibyte(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", pattern(_LARGE_BYTES))
        reader = await container.read("object", 0, END)
        assert reader.size == _LARGE_BYTES
        while piece := await reader.read():
            assert type(piece) is bytes
            assert len(piece) <= MAX_PIECE_BYTES
        assert await reader.read() == b""
        reader.close()

    async def test_a_missing_object_is_missing(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        assert await container.has_object("missing") is False
        with pytest.raises(NoSuchObject):
            await container.read("missing", 0, END)
        with pytest.raises(NoSuchObject):
            await container.object_info("missing")

    async def test_an_empty_object_is_an_object(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"")
        assert await container.has_object("object") is True
        assert await all_names(container) == ["object"]
        assert await get(container, "object") == b""

    async def test_object_info_says_what_is_known(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "an/object", b"value")
        info = await container.object_info("an/object")
        assert (info.name, info.container, info.size) == ("an/object", container.name, 5)
        assert abs(info.created_at - time.time()) <= _CLOCKS_S, "no Unix time in seconds of when it was written"

    async def test_nothing_is_visible_before_commit(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        writer = await container.write("object")
        await writer.write(pattern(_LARGE_BYTES // 5))
        assert await container.has_object("object") is False
        assert await all_names(container) == []
        with pytest.raises(NoSuchObject):
            await container.read("object", 0, END)
        await writer.commit()
        assert await container.has_object("object") is True

    async def test_an_object_stays_as_it_was_until_a_new_one_is_committed(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"old")
        writer = await container.write("object")
        await writer.write(b"new, and longer")
        assert await get(container, "object") == b"old"
        assert (await container.object_info("object")).size == 3
        await writer.commit()
        assert await get(container, "object") == b"new, and longer"

    async def test_a_later_write_replaces_the_whole_object(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", pattern(300_000))
        await put(container, "object", b"short")
        assert await get(container, "object") == b"short"
        assert (await container.object_info("object")).size == 5
        assert await all_names(container) == ["object"]

    async def test_an_aborted_write_leaves_nothing(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        writer = await container.write("object")
        await writer.write(pattern(300_000))
        writer.abort()
        await asyncio.sleep(0.01)
        assert await container.has_object("object") is False
        assert await all_names(container) == []

    async def test_an_aborted_write_leaves_the_old_object(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"old")
        writer = await container.write("object")
        await writer.write(b"new")
        writer.abort()
        await asyncio.sleep(0.01)
        assert await get(container, "object") == b"old"

    async def test_who_reads_a_replaced_object_reads_the_old_one_to_its_end(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        old, new = pattern(_LARGE_BYTES), pattern(_LARGE_BYTES, seed=7)
        await put(container, "object", old)
        reader = await container.read("object", 0, END)
        begin = await reader.read()
        await put(container, "object", new)
        assert same(begin + await rest(reader), old)
        assert same(await get(container, "object"), new)

    async def test_who_stops_reading_disturbs_nobody(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        data = pattern(_LARGE_BYTES)
        await put(container, "object", data)
        one, other = await container.read("object", 0, END), await container.read("object", 0, END)
        begin = await other.read()
        await one.read()
        one.close()
        assert same(begin + await rest(other), data)

    async def test_of_concurrent_writes_of_one_object_one_is_there_whole(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        each = [pattern(200_000 + number, seed=number) for number in range(8)]
        await asyncio.gather(*(put(container, "object", data, piece=50_000) for data in each))
        assert await get(container, "object") in each
        assert await all_names(container) == ["object"]

    async def test_concurrent_writes_of_many_objects_all_arrive(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await asyncio.gather(*(put(container, f"object-{number}", b"%d" % number) for number in range(50)))
        found = await asyncio.gather(*(get(container, f"object-{number}") for number in range(50)))
        assert found == [b"%d" % number for number in range(50)]

    async def test_deleting_deletes_what_exists_and_nothing_else(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        for name in ("a", "b", "c", "ab"):
            await put(container, name, name.encode())
        await container.delete_objects(["a", "missing", "c", "a"])
        assert sorted(await all_names(container)) == ["ab", "b"]
        assert await container.has_object("a") is False
        assert await get(container, "b") == b"b"
        await container.delete_objects([])
        assert sorted(await all_names(container)) == ["ab", "b"]

    async def test_clear_deletes_all_objects_and_the_container_stays(self, backend: Blobstore) -> None:
        container, other = await fresh_container(backend), await fresh_container(backend)
        for name in ("a", "a/b", "x" * 500):
            await put(container, name, b"value")
            await put(other, name, b"value")
        await container.clear()
        assert await all_names(container) == []
        assert await container.has_object("a/b") is False
        assert await backend.container_exists(container.name) is True
        await put(container, "a", b"again")
        assert await get(container, "a") == b"again"
        assert len(await all_names(other)) == 3
