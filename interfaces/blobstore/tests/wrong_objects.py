"""What can be wrong with single objects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from interfaces.blobstore.tests.wrong import WrongContainer, WrongStore, WrongWriter
from qwasr_blobstore import NoSuchObject, ObjectInfo
from qwasr_blobstore._memory_streams import Bytes, MemoryReader
from qwasr_blobstore.limits import span


class ForgetsWrites(WrongStore):
    breaks = ("test_a_written_object_is_read_back",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            self.abort()


class CutsAtAMebibyte(WrongStore):
    breaks = ("test_an_object_is_any_number_of_bytes",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            await super().write(data[: max(0, 2**20 - len(self.what))])


class TakesText(WrongStore):
    breaks = ("test_an_object_is_any_bytes",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            await super().write(data.replace(b"\r\n", b"\n"))


class EndsAtAnEmptyPiece(WrongStore):
    breaks = ("test_pieces_of_any_size_are_one_object",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        ended = False

        async def write(self, data: bytes) -> None:
            self.ended = self.ended or not data
            if not self.ended:
                await super().write(data)


class ReadsItAllAtOnce(WrongStore):
    breaks = ("test_what_is_read_is_bytes_of_at_most_a_mebibyte",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            reader = await self.right.read(name, start, end)
            whole = [bytes(reader._data)[reader._at : reader._end], b"", b""]

            async def read() -> bytes:
                return whole.pop(0)

            reader.read = read  # type: ignore[method-assign]
            return reader


class MissingIsEmpty(WrongStore):
    breaks = ("test_a_missing_object_is_missing",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            try:
                return await self.right.read(name, start, end)
            except NoSuchObject:
                return MemoryReader(Bytes([]), 0, 0)


class EmptyIsMissing(WrongStore):
    breaks = ("test_an_empty_object_is_an_object",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            await super().commit()
            if not self.what:
                self.store.remove(self.container.name, [self.name])


class InfoOfNothing(WrongStore):
    breaks = ("test_object_info_says_what_is_known",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def object_info(self, name: str) -> ObjectInfo:
            return replace(await self.right.object_info(name), created_at=0)


class ShowsWhatIsWritten(WrongStore):
    breaks = ("test_nothing_is_visible_before_commit",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            await super().write(data)
            self.show(self.what)


class MakesRoomFirst(WrongStore):
    breaks = ("test_an_object_stays_as_it_was_until_a_new_one_is_committed",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            self.store.remove(self.container.name, [self.name])
            await super().write(data)


class OverwritesTheBeginning(WrongStore):
    breaks = ("test_a_later_write_replaces_the_whole_object",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            old = self.store.contents(self.container.name).objects.get(self.name)
            await super().commit()
            if old is not None:
                self.show(self.what + bytes(old.data)[len(self.what) :])


class AbortKeepsIt(WrongStore):
    breaks = ("test_an_aborted_write_leaves_nothing",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        def abort(self) -> None:
            self.show(self.what)


class AbortDeletes(WrongStore):
    breaks = ("test_an_aborted_write_leaves_the_old_object",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        def abort(self) -> None:
            super().abort()
            self.store.remove(self.container.name, [self.name])


class ReadsAnew(WrongStore):
    """Each piece is asked for by the object's name."""

    breaks = (
        "test_who_reads_a_replaced_object_reads_the_old_one_to_its_end",
        "test_who_reads_an_object_that_is_moved_reads_it_to_its_end",
    )

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            reader = await self.right.read(name, start, end)
            right = reader.read

            async def read() -> bytes:
                reader._data = self.store.find(self.name, name).data
                return await right()

            reader.read = read  # type: ignore[method-assign]
            return reader


class OneReaderForAll(WrongStore):
    breaks = ("test_who_stops_reading_disturbs_nobody",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def read(self, name: str, start: int, end: int) -> Any:
            readers = self.__dict__.setdefault("readers", {})
            size = span(start, end, (await self.right.object_info(name)).size)
            reader = readers.get((name, start, end))
            if reader is None or reader.size != size or reader._at == reader._end:
                reader = readers[name, start, end] = await self.right.read(name, start, end)
            return reader


class OneBufferForAName(WrongStore):
    breaks = ("test_of_concurrent_writes_of_one_object_one_is_there_whole",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def write(self, data: bytes) -> None:
            buffers = self.store.__dict__.setdefault("buffers", {})
            buffers[self.container.name, self.name] = buffers.get((self.container.name, self.name), b"") + data
            await asyncio.sleep(0)
            await super().write(b"")

        async def commit(self) -> None:
            await super().commit()
            self.show(self.store.__dict__.setdefault("buffers", {}).get((self.container.name, self.name), b""))


class LosesConcurrentWrites(WrongStore):
    breaks = ("test_concurrent_writes_of_many_objects_all_arrive",)

    class writer(WrongWriter):  # noqa: N801 - the attribute's name
        async def commit(self) -> None:
            objects = self.store.contents(self.container.name).objects
            before = dict(objects)
            await asyncio.sleep(0)
            objects.clear()
            objects.update(before)
            await super().commit()


class DeletesByPrefix(WrongStore):
    breaks = ("test_deleting_deletes_what_exists_and_nothing_else",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def delete_objects(self, names: Sequence[str]) -> None:
            objects = list(self.store.contents(self.name).objects)
            await self.right.delete_objects([name for name in objects if name.startswith(tuple(names))])


class ClearDeletesTheContainer(WrongStore):
    breaks = ("test_clear_deletes_all_objects_and_the_container_stays",)

    class container(WrongContainer):  # noqa: N801 - the attribute's name
        async def clear(self) -> None:
            await self.store.delete_container(self.name)
