"""What can be wrong with copies and moves, and with calls that are cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from interfaces.blobstore.tests.wrong import WrongContainer, WrongStore, WrongWriter
from qwasr_blobstore import NoSuchObject, ObjectId


class CopyMoves(WrongStore):
    breaks = ("test_a_copy_is_equal_and_the_source_stays",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        await super().move_object(source, target)


class CopyIsALink(WrongStore):
    breaks = ("test_a_copy_does_not_change_with_its_source",)

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[tuple[str, str], ObjectId] = {}

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        await super().copy_object(source, target)
        self.links[target.container, target.object] = source

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            link = self.store.links.get((self.name, name), ObjectId(self.name, name))
            return await self.right.read(link.object, start, end)


class CopyKeepsTheTarget(WrongStore):
    breaks = ("test_a_copy_replaces_its_target",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        if target.object not in self.contents(target.container).objects:
            await super().copy_object(source, target)


class CopyStaysAtHome(WrongStore):
    breaks = ("test_a_copy_goes_to_another_container",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        self.contents(target.container)
        await super().copy_object(source, ObjectId(source.container, target.object))


class CopyOntoItselfDeletes(WrongStore):
    breaks = ("test_a_copy_onto_itself_changes_nothing",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        found = self.find(source.container, source.object)
        self.contents(target.container)
        self.remove(target.container, [target.object])
        if source != target:
            self.reserve(len(found.data))
            self.place(target.container, target.object, found)


class CopyOfNothingIsNothing(WrongStore):
    breaks = ("test_a_copy_of_nothing_is_an_error_and_the_target_stays",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        try:
            await super().copy_object(source, target)
        except NoSuchObject:
            self.remove(target.container, [target.object])
            raise


class CopyMakesContainers(WrongStore):
    breaks = ("test_a_copy_from_or_to_a_missing_container_is_an_error",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        if not await self.container_exists(target.container):
            await self.create_container(target.container)
        await super().copy_object(source, target)


class MoveCopies(WrongStore):
    breaks = ("test_a_moved_object_is_there_and_no_longer_here",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        await super().copy_object(source, target)


class MoveKeepsTheTarget(WrongStore):
    breaks = ("test_a_moved_object_replaces_its_target",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        if source != target and target.object in self.contents(target.container).objects:
            self.find(source.container, source.object)
            self.remove(source.container, [source.object])
        else:
            await super().move_object(source, target)


class MoveStaysAtHome(WrongStore):
    breaks = ("test_an_object_moves_to_another_container",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        self.contents(target.container)
        await super().move_object(source, ObjectId(source.container, target.object))


class MoveOntoItselfDeletes(WrongStore):
    breaks = ("test_a_move_onto_itself_changes_nothing",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        await super().move_object(source, target)
        if source == target:
            self.remove(source.container, [source.object])


class MoveOfNothingIsNothing(WrongStore):
    breaks = ("test_a_move_of_nothing_is_an_error_and_the_target_stays",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        try:
            await super().move_object(source, target)
        except NoSuchObject:
            self.remove(target.container, [target.object])
            raise


class MoveDeletesFirst(WrongStore):
    breaks = ("test_a_move_from_or_to_a_missing_container_is_an_error_and_moves_nothing",)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        found = self.find(source.container, source.object)
        if source != target:
            self.remove(source.container, [source.object])
            self.reserve(len(found.data))
            self.place(target.container, target.object, found)


class WritesInPlace(WrongStore):
    breaks = ("test_cancelled_writes_leave_an_object_whole",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            await super().write(data)
            self.show(self.what)
            await asyncio.sleep(0)


class AnswersInTurn(WrongStore):
    """One connection: the next answer is the next caller's, also when the one who asked is gone."""

    breaks = ("test_cancelled_calls_leave_others_their_own_answers",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            answers = self.store.__dict__.setdefault("answers", [])
            answers.append(await self.right.read(name, start, end))
            await asyncio.sleep(0)
            return answers.pop(0)


class BusyForEver(WrongStore):
    breaks = ("test_a_reader_may_be_closed_after_a_cancelled_read",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            reader = await self.right.read(name, start, end)
            right, close, busy = reader.read, reader.close, []

            async def read() -> bytes:
                busy.append(1)
                await asyncio.sleep(0)
                busy.pop()
                return await right()

            def close_unless_busy() -> None:
                if busy:
                    msg = "somebody reads"
                    raise RuntimeError(msg)
                close()

            reader.read, reader.close = read, close_unless_busy  # type: ignore[method-assign]
            return reader
