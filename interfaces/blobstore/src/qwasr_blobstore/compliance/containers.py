"""Rules for containers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from qwasr_blobstore.compliance._stored import END, all_names, fresh_container, fresh_name, get, put
from qwasr_blobstore.errors import ContainerExists, NoSuchContainer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qwasr_blobstore.protocol import Blobstore, Container

__all__ = ["ContainerRules"]

_CLOCKS_S = 3600  # a service's clock may be wrong


class ContainerRules:
    """What holds for containers."""

    async def test_a_created_container_exists(self, backend: Blobstore) -> None:
        name = fresh_name()
        created = await backend.create_container(name)
        assert created.name == name
        assert await backend.container_exists(name) is True
        assert (await backend.get_container(name)).name == name

    async def test_a_missing_container_is_missing(self, backend: Blobstore) -> None:
        name = fresh_name()
        assert await backend.container_exists(name) is False
        with pytest.raises(NoSuchContainer):
            await backend.get_container(name)

    async def test_deleting_a_missing_container_is_an_error(self, backend: Blobstore) -> None:
        with pytest.raises(NoSuchContainer):
            await backend.delete_container(fresh_name())

    async def test_creating_a_container_again_is_an_error_and_keeps_its_objects(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        with pytest.raises(ContainerExists):
            await backend.create_container(container.name)
        assert await get(container, "object") == b"value"

    async def test_of_concurrent_creations_one_wins(self, backend: Blobstore) -> None:
        name = fresh_name()
        results = await asyncio.gather(*(backend.create_container(name) for _ in range(10)), return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert sum(isinstance(result, ContainerExists) for result in results) == len(results) - 1

    async def test_everyones_containers_of_one_name_are_the_same(self, backend: Blobstore) -> None:
        created = await fresh_container(backend)
        one, other = await backend.get_container(created.name), await backend.get_container(created.name)
        await put(one, "object", b"value")
        assert await get(other, "object") == b"value"
        assert await get(created, "object") == b"value"

    async def test_containers_do_not_see_each_others_objects(self, backend: Blobstore) -> None:
        one, other = await fresh_container(backend), await fresh_container(backend)
        await put(one, "object", b"1")
        assert await other.has_object("object") is False
        await put(other, "object", b"2")
        await put(other, "more", b"3")
        assert await get(one, "object") == b"1"
        assert await all_names(one) == ["object"]

    async def test_info_says_name_and_time(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        info = await container.info()
        assert info.name == container.name
        assert abs(info.created_at - time.time()) <= _CLOCKS_S, "no Unix time in seconds of when it was made"

    async def test_a_deleted_container_is_gone_with_its_objects(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        await backend.delete_container(container.name)
        assert await backend.container_exists(container.name) is False
        again = await backend.create_container(container.name)
        assert await again.has_object("object") is False
        assert await all_names(again) == []

    async def test_deleting_a_container_leaves_the_others(self, backend: Blobstore) -> None:
        gone = await fresh_container(backend)
        similar = await backend.create_container(f"{gone.name}-2")
        await put(similar, "object", b"value")
        await backend.delete_container(gone.name)
        assert await get(similar, "object") == b"value"

    @pytest.mark.parametrize(
        "method",
        ["info", "read", "write", "list_objects", "delete_objects", "has_object", "object_info", "clear"],
    )
    async def test_each_method_of_a_deleted_container_says_that_it_is_gone(
        self, backend: Blobstore, method: str
    ) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        await backend.delete_container(container.name)
        with pytest.raises(NoSuchContainer):
            await _CALLS[method](container)

    async def test_a_write_into_a_container_that_is_deleted_meanwhile_is_an_error(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        writer = await container.write("object")
        await writer.write(b"value")
        await backend.delete_container(container.name)
        with pytest.raises(NoSuchContainer):
            await writer.commit()
        writer.abort()
        assert await backend.container_exists(container.name) is False


_CALLS: dict[str, Callable[[Container], Coroutine[Any, Any, Any]]] = {
    "info": lambda container: container.info(),
    "read": lambda container: container.read("object", 0, END),
    "write": lambda container: container.write("object"),
    "list_objects": lambda container: container.list_objects(None),
    "delete_objects": lambda container: container.delete_objects(["object"]),
    "has_object": lambda container: container.has_object("object"),
    "object_info": lambda container: container.object_info("object"),
    "clear": lambda container: container.clear(),
}
