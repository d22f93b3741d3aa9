"""What can be wrong with memory, with a store that is full, and with many operations after each other."""

from __future__ import annotations

from typing import Any

from interfaces.blobstore.tests.wrong import WrongContainer, WrongStore, WrongWriter
from qwasr_blobstore import NamePage, ObjectId, OutOfSpace, TooLarge
from qwasr_blobstore._memory_streams import Bytes
from qwasr_blobstore.compliance._stored import get, put


class SendsItAllAtTheEnd(WrongStore):
    breaks = ("test_a_large_object_is_written_in_little_memory",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            self.store.reserve(len(self.what))
            self.store.put(self.container.name, self.name, Bytes([self.what]))


class FetchesItAllAtOnce(WrongStore):
    breaks = ("test_a_large_object_is_read_in_little_memory",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            reader = await self.right.read(name, start, end)
            reader._data = Bytes([bytes(reader._data)])
            return reader


class CopiesThroughOneVariable(WrongStore):
    breaks = ("test_a_large_object_is_copied_in_little_memory",)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        data = await get(await self.get_container(source.container), source.object)
        await put(await self.get_container(target.container), target.object, data)


class ListsItAllAtOnce(WrongStore):
    breaks = ("test_a_listing_holds_no_more_than_a_page",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def list_objects(self, cursor: str | None = None) -> NamePage:
            answer = "\n".join(self.store.contents(self.name).objects)
            names = sorted(answer.split("\n")) if answer else []
            after = [name for name in names if cursor is None or name > cursor]
            return NamePage(after[:1000], after[999] if len(after) > 1000 else None)


class FullIsTooLarge(WrongStore):
    breaks = ("test_an_object_that_does_not_fit_is_out_of_space_and_not_there",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            try:
                await super().write(data)
            except OutOfSpace as error:
                raise TooLarge(str(error)) from None


class FullIsTheEnd(WrongStore):
    """What fitted is the object."""

    breaks = (
        "test_an_object_that_does_not_fit_is_out_of_space_and_not_there",
        "test_an_object_that_does_not_fit_leaves_the_old_one",
    )

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            try:
                await super().write(data)
            except OutOfSpace:
                await self.right.commit()
                raise


class KeepsRoomForWhatFailed(WrongStore):
    breaks = ("test_room_is_free_again_when_it_is_not_needed",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        def abort(self) -> None:
            """Forget the bytes, and not what they take."""


class ClearsTheNextOne(WrongStore):
    """What is written first after `clear` is gone, too."""

    breaks = ("test_operations_in_any_order_do_what_a_model_does",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def clear(self) -> None:
            await self.right.clear()
            self.store.__dict__.setdefault("cleared", set()).add(self.name)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            await super().commit()
            cleared = self.store.__dict__.get("cleared", set())
            if self.container.name in cleared:
                cleared.remove(self.container.name)
                self.store.remove(self.container.name, [self.name])
