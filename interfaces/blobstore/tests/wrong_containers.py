"""What can be wrong with containers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from interfaces.blobstore.tests.wrong import WrongContainer, WrongStore, WrongWriter
from qwasr_blobstore import ContainerExists, ContainerInfo, Memory, NamePage, NoSuchContainer
from qwasr_blobstore.memory import MemoryContainer


class NeverThere(WrongStore):
    breaks = ("test_a_created_container_exists",)

    async def container_exists(self, name: str) -> bool:
        return False


class MakesContainersOnTheWay(WrongStore):
    breaks = ("test_a_missing_container_is_missing",)

    async def get_container(self, name: str) -> Any:
        if not await self.container_exists(name):
            return await self.create_container(name)
        return await super().get_container(name)


class DeletesAnything(WrongStore):
    breaks = ("test_deleting_a_missing_container_is_an_error",)

    async def delete_container(self, name: str) -> None:
        if await self.container_exists(name):
            await super().delete_container(name)


class StartsAnew(WrongStore):
    breaks = ("test_creating_a_container_again_is_an_error_and_keeps_its_objects",)

    async def create_container(self, name: str) -> Any:
        if await self.container_exists(name):
            await self.delete_container(name)
        return await super().create_container(name)


class LooksFirst(WrongStore):
    breaks = ("test_of_concurrent_creations_one_wins",)

    async def create_container(self, name: str) -> Any:
        if await self.container_exists(name):
            msg = "there is one"
            raise ContainerExists(msg)
        await asyncio.sleep(0)
        return await (
            super().get_container(name) if await self.container_exists(name) else super().create_container(name)
        )


class PrivateContainers(WrongStore):
    breaks = ("test_everyones_containers_of_one_name_are_the_same",)

    async def get_container(self, name: str) -> Any:
        private = Memory()
        await private.create_container(name)
        return await private.get_container(name)


class OneForAll(WrongStore):
    breaks = ("test_containers_do_not_see_each_others_objects",)

    def _wrong(self, right: MemoryContainer) -> Any:
        return MemoryContainer(self, self.names()[0])


class InfoInMilliseconds(WrongStore):
    breaks = ("test_info_says_name_and_time",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def info(self) -> ContainerInfo:
            info = await self.right.info()
            return replace(info, created_at=info.created_at * 1000)


class KeepsObjects(WrongStore):
    breaks = ("test_a_deleted_container_is_gone_with_its_objects",)

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    async def delete_container(self, name: str) -> None:
        self.kept[name] = dict(self.contents(name).objects)
        await super().delete_container(name)

    async def create_container(self, name: str) -> Any:
        made = await super().create_container(name)
        self.contents(name).objects.update(self.kept.get(name, {}))
        return made


class DeletesContainersByPrefix(WrongStore):
    breaks = ("test_deleting_a_container_leaves_the_others",)

    async def delete_container(self, name: str) -> None:
        self.contents(name)
        for other in self.names():
            if other.startswith(name):
                await super().delete_container(other)


class Forgiving(WrongStore):
    breaks = ("test_each_method_of_a_deleted_container_says_that_it_is_gone",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def list_objects(self, cursor: str | None = None) -> NamePage:
            try:
                return await self.right.list_objects(cursor)
            except NoSuchContainer:
                return NamePage([])


class MakesItsContainerAgain(WrongStore):
    breaks = ("test_a_write_into_a_container_that_is_deleted_meanwhile_is_an_error",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            if not await self.store.container_exists(self.container.name):
                await self.store.create_container(self.container.name)
            await super().commit()
