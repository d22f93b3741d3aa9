"""Rules for objects that are copied and moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore.compliance._stored import (
    END,
    all_names,
    fresh_container,
    fresh_name,
    get,
    pattern,
    put,
    rest,
    same,
)
from qwasr_blobstore.errors import NoSuchContainer, NoSuchObject
from qwasr_blobstore.protocol import ObjectId

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["MovingRules"]

_LARGE_BYTES = 3_000_001


class MovingRules:
    """What holds for `copy_object` and `move_object`."""

    @pytest.mark.parametrize("size", [0, 5, _LARGE_BYTES])
    async def test_a_copy_is_equal_and_the_source_stays(self, backend: Blobstore, size: int) -> None:
        container = await fresh_container(backend)
        data = pattern(size)
        await put(container, "source", data)
        await backend.copy_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        assert same(await get(container, "target"), data)
        assert same(await get(container, "source"), data)
        assert (await container.object_info("target")).size == size

    async def test_a_copy_does_not_change_with_its_source(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "source", b"first")
        await backend.copy_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        await put(container, "source", b"second")
        assert await get(container, "target") == b"first"
        await container.delete_objects(["source"])
        assert await get(container, "target") == b"first"

    async def test_a_copy_replaces_its_target(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "source", b"new")
        await put(container, "target", b"old, and longer")
        await backend.copy_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        assert await get(container, "target") == b"new"
        assert sorted(await all_names(container)) == ["source", "target"]

    async def test_a_copy_goes_to_another_container(self, backend: Blobstore) -> None:
        one, other = await fresh_container(backend), await fresh_container(backend)
        await put(one, "object", b"value")
        await backend.copy_object(ObjectId(one.name, "object"), ObjectId(other.name, "x" * 700))
        assert await get(other, "x" * 700) == b"value"
        assert await get(one, "object") == b"value"
        assert (await other.object_info("x" * 700)).container == other.name

    async def test_a_copy_onto_itself_changes_nothing(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        await backend.copy_object(ObjectId(container.name, "object"), ObjectId(container.name, "object"))
        assert await get(container, "object") == b"value"
        assert await all_names(container) == ["object"]

    async def test_a_copy_of_nothing_is_an_error_and_the_target_stays(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "target", b"value")
        with pytest.raises(NoSuchObject):
            await backend.copy_object(ObjectId(container.name, "missing"), ObjectId(container.name, "target"))
        with pytest.raises(NoSuchObject):
            await backend.copy_object(ObjectId(container.name, "missing"), ObjectId(container.name, "missing"))
        assert await get(container, "target") == b"value"
        assert await all_names(container) == ["target"]

    async def test_a_copy_from_or_to_a_missing_container_is_an_error(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        here, nowhere = ObjectId(container.name, "object"), ObjectId(fresh_name(), "object")
        with pytest.raises(NoSuchContainer):
            await backend.copy_object(here, nowhere)
        with pytest.raises(NoSuchContainer):
            await backend.copy_object(nowhere, here)
        assert await get(container, "object") == b"value"
        assert await backend.container_exists(nowhere.container) is False

    @pytest.mark.parametrize("size", [0, 5, _LARGE_BYTES])
    async def test_a_moved_object_is_there_and_no_longer_here(self, backend: Blobstore, size: int) -> None:
        container = await fresh_container(backend)
        data = pattern(size)
        await put(container, "source", data)
        await backend.move_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        assert same(await get(container, "target"), data)
        assert await container.has_object("source") is False
        assert await all_names(container) == ["target"]

    async def test_a_moved_object_replaces_its_target(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "source", b"new")
        await put(container, "target", b"old, and longer")
        await backend.move_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        assert await get(container, "target") == b"new"
        assert await all_names(container) == ["target"]

    async def test_an_object_moves_to_another_container(self, backend: Blobstore) -> None:
        one, other = await fresh_container(backend), await fresh_container(backend)
        await put(one, "x" * 700, b"value")
        await backend.move_object(ObjectId(one.name, "x" * 700), ObjectId(other.name, "a/b"))
        assert await get(other, "a/b") == b"value"
        assert await all_names(one) == []
        assert await all_names(other) == ["a/b"]

    async def test_a_move_onto_itself_changes_nothing(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        await backend.move_object(ObjectId(container.name, "object"), ObjectId(container.name, "object"))
        assert await get(container, "object") == b"value"
        assert await all_names(container) == ["object"]

    async def test_a_move_of_nothing_is_an_error_and_the_target_stays(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "target", b"value")
        with pytest.raises(NoSuchObject):
            await backend.move_object(ObjectId(container.name, "missing"), ObjectId(container.name, "target"))
        with pytest.raises(NoSuchObject):
            await backend.move_object(ObjectId(container.name, "missing"), ObjectId(container.name, "missing"))
        assert await get(container, "target") == b"value"
        assert await all_names(container) == ["target"]

    async def test_a_move_from_or_to_a_missing_container_is_an_error_and_moves_nothing(
        self, backend: Blobstore
    ) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        here, nowhere = ObjectId(container.name, "object"), ObjectId(fresh_name(), "object")
        with pytest.raises(NoSuchContainer):
            await backend.move_object(here, nowhere)
        with pytest.raises(NoSuchContainer):
            await backend.move_object(nowhere, here)
        assert await get(container, "object") == b"value"
        assert await backend.container_exists(nowhere.container) is False

    async def test_who_reads_an_object_that_is_moved_reads_it_to_its_end(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        data = pattern(_LARGE_BYTES)
        await put(container, "source", data)
        reader = await container.read("source", 0, END)
        begin = await reader.read()
        await backend.move_object(ObjectId(container.name, "source"), ObjectId(container.name, "target"))
        assert same(begin + await rest(reader), data)
