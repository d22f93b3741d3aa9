"""What can be wrong with names, ranges and listings."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any

from interfaces.blobstore.tests.wrong import WrongContainer, WrongStore
from qwasr_blobstore import InvalidRange, NamePage, NoSuchObject
from qwasr_blobstore._memory_streams import Bytes, MemoryReader


class FoldsNames(WrongStore):
    breaks = ("test_objects_have_any_names",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def write(self, name: str) -> Any:
            return await self.right.write(name.lower())


class DeletesWhatLooksLikeIt(WrongStore):
    breaks = ("test_deleting_one_name_leaves_those_that_look_like_it",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def delete_objects(self, names: Sequence[str]) -> None:
            folded = {name.casefold() for name in names}
            there = list(self.store.contents(self.name).objects)
            await self.right.delete_objects([name for name in there if name.casefold() in folded])


class FoldsContainers(WrongStore):
    breaks = ("test_containers_have_any_names",)

    async def create_container(self, name: str) -> Any:
        return await super().create_container(name.lower())

    async def get_container(self, name: str) -> Any:
        return await super().get_container(name.lower())


class JoinsPaths(WrongStore):
    """An object's name is a path, and that may lead up."""

    breaks = ("test_no_name_leads_out_of_its_container",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        def there(self, name: str) -> tuple[Any, str]:
            container, _, rest = posixpath.normpath(f"{self.name}/{name}").partition("/")
            return type(self.right)(self.store, container), rest or "."

        async def write(self, name: str) -> Any:
            container, rest = self.there(name)
            return await container.write(rest)

        async def has_object(self, name: str) -> bool:
            container, rest = self.there(name)
            return bool(await container.has_object(rest))


class ShortNames(WrongStore):
    breaks = ("test_names_have_up_to_1024_bytes", "test_names_that_begin_alike_are_apart")

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def write(self, name: str) -> Any:
            return await self.right.write(name[:200])

        async def read(self, name: str, start: int, end: int) -> Any:
            return await self.right.read(name[:200], start, end)


class EndIsExcluded(WrongStore):
    breaks = ("test_both_ends_of_a_range_are_included",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            reader = await self.right.read(name, start, end)
            if end < (await self.right.object_info(name)).size:
                reader._end -= 1
            return reader


class ChecksTheEnd(WrongStore):
    breaks = ("test_an_end_behind_the_objects_is_the_objects",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            size = (await self.right.object_info(name)).size
            if size < end < 2**63:
                msg = "it ends behind the object"
                raise InvalidRange(msg)
            return await self.right.read(name, start, end)


class BackwardsIsEmpty(WrongStore):
    breaks = ("test_a_range_that_begins_after_its_end_is_an_error",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            return MemoryReader(Bytes([]), 0, 0) if start > end else await self.right.read(name, start, end)


class BehindIsEmpty(WrongStore):
    breaks = ("test_a_range_that_begins_behind_the_object_is_an_error",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            size = (await self.right.object_info(name)).size
            return MemoryReader(Bytes([]), 0, 0) if end >= start >= size else await self.right.read(name, start, end)


class EmptyHasNoRange(WrongStore):
    breaks = ("test_of_an_empty_object_any_range_from_its_beginning_is_empty",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            if not (await self.right.object_info(name)).size:
                msg = "it is empty"
                raise InvalidRange(msg)
            return await self.right.read(name, start, end)


class BeginsAtABlock(WrongStore):
    breaks = ("test_ranges_of_a_large_object_are_right_at_every_place",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            return await self.right.read(name, start // 65536 * 65536 if start > 65536 else start, end)


class NothingHasNoRange(WrongStore):
    breaks = ("test_a_range_of_a_missing_object_is_no_such_object",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            try:
                return await self.right.read(name, start, end)
            except NoSuchObject:
                msg = "there are no such bytes"
                raise InvalidRange(msg) from None


class ListsItself(WrongStore):
    breaks = ("test_an_empty_container_lists_nothing",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def list_objects(self, cursor: str | None = None) -> NamePage:
            page = await self.right.list_objects(cursor)
            return NamePage(page.names or ["."], page.cursor)


class OnePage(WrongStore):
    breaks = ("test_a_listing_has_every_object_once_in_pages",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def list_objects(self, cursor: str | None = None) -> NamePage:
            return NamePage(sorted(self.store.contents(self.name).objects))


class CursorIsAPosition(WrongStore):
    breaks = ("test_a_listing_keeps_its_place_while_objects_come_and_go",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def list_objects(self, cursor: str | None = None) -> NamePage:
            names, start = sorted(self.store.contents(self.name).objects), int(cursor or 0)
            return NamePage(names[start : start + 500], str(start + 500) if start + 500 < len(names) else None)


class OneCursorForAll(WrongStore):
    breaks = ("test_two_listings_do_not_disturb_each_other",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        place: str | None = None

        async def list_objects(self, cursor: str | None = None) -> NamePage:
            page = await self.right.list_objects(None if cursor is None else self.place)
            self.place = page.cursor
            return page


class ListsWhatIsGone(WrongStore):
    breaks = ("test_deleted_objects_are_not_listed",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def delete_objects(self, names: Sequence[str]) -> None:
            self.__dict__.setdefault("gone", []).extend(names)
            await self.right.delete_objects(names)

        async def list_objects(self, cursor: str | None = None) -> NamePage:
            page = await self.right.list_objects(cursor)
            return NamePage([*page.names, *self.__dict__.get("gone", [])], page.cursor)
