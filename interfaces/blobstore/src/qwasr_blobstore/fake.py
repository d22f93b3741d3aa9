"""A blobstore for tests: containers that are dictionaries.

::

    async def test_a_photo_gets_a_thumbnail(guest):
        guest.blobstore["photos"] = {"a.jpg": b"..."}
        await guest.post("/thumbnails/a.jpg")
        assert guest.blobstore["thumbnails"]["a.jpg"].startswith(b"...")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

from qwasr.testing.fakes import FakeBackend, at_once
from qwasr_blobstore.limits import check_name
from qwasr_blobstore.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.testing.clock import Clock
    from qwasr_blobstore._memory_streams import MemoryReader, MemoryWriter
    from qwasr_blobstore.memory import MemoryContainer
    from qwasr_blobstore.protocol import ContainerInfo, NamePage, ObjectId, ObjectInfo

__all__ = ["FakeBlobstore", "FakeContainer"]


class FakeBlobstore(FakeBackend, MutableMapping[str, MutableMapping[str, bytes]]):
    """The store in memory, by the test's clock; a mapping of container names to containers.

    Setting an object makes its container; setting a container, to a dictionary, makes it hold just that. What a guest
    finishes is recorded as `Call("commit", (container, object, data))`.
    """

    provides: ClassVar[tuple[str, ...]] = ("blobstore",)

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.memory = Memory(clock=lambda: self.clock.wall_ns() / 1e9)

    def __getitem__(self, name: str) -> FakeContainer:
        """Return a container, which needs not be there yet."""
        return FakeContainer(self.memory, name)

    def __setitem__(self, name: str, objects: Mapping[str, bytes]) -> None:
        """Make a container that holds these objects and no others."""
        if name in self:
            del self[name]
        at_once(self.memory.create_container(name))
        self[name].update(objects)

    def __delitem__(self, name: str) -> None:
        """Delete a container with everything in it."""
        if name not in self:
            raise KeyError(name)
        at_once(self.memory.delete_container(name))

    def __contains__(self, name: object) -> bool:
        """Return whether there is a container of that name."""
        return name in self.memory.names()

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the containers, in the order they were made."""
        return iter(self.memory.names())

    def __len__(self) -> int:
        """Return how many containers there are."""
        return len(self.memory.names())

    async def create_container(self, name: str) -> RecordingContainer:
        """Make a container."""
        await self.step("create_container", name)
        return RecordingContainer(self, await self.memory.create_container(name))

    async def get_container(self, name: str) -> RecordingContainer:
        """Return a container."""
        await self.step("get_container", name)
        return RecordingContainer(self, await self.memory.get_container(name))

    async def delete_container(self, name: str) -> None:
        """Delete a container with everything in it."""
        await self.step("delete_container", name)
        await self.memory.delete_container(name)

    async def container_exists(self, name: str) -> bool:
        """Return whether there is a container of that name."""
        await self.step("container_exists", name)
        return await self.memory.container_exists(name)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target a copy of the source."""
        await self.step("copy_object", source, target)
        await self.memory.copy_object(source, target)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target what the source is, and the source nothing."""
        await self.step("move_object", source, target)
        await self.memory.move_object(source, target)


class FakeContainer(MutableMapping[str, bytes]):
    """A container as a dictionary, for the test itself: nothing of it is recorded, delayed or fails."""

    def __init__(self, store: Memory, name: str) -> None:
        check_name(name, "a container")
        self._store = store
        self._name = name

    def __getitem__(self, name: str) -> bytes:
        """Return an object's bytes."""
        if name not in self._names():
            raise KeyError(name)
        return bytes(self._store.find(self._name, name).data)

    def __setitem__(self, name: str, data: bytes) -> None:
        """Set an object; its container is made when it is not there."""
        if self._name not in self._store.names():
            at_once(self._store.create_container(self._name))
        at_once(_written(self._store, self._name, name, data))

    def __delitem__(self, name: str) -> None:
        """Delete an object."""
        if name not in self._names():
            raise KeyError(name)
        self._store.remove(self._name, [name])

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the objects, in the order they were made."""
        return iter(self._names())

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self._names())

    def __repr__(self) -> str:
        return repr(dict(self))

    def _names(self) -> list[str]:
        return list(self._store.contents(self._name).objects) if self._name in self._store.names() else []


async def _written(store: Memory, container: str, name: str, data: bytes) -> None:
    writer = await (await store.get_container(container)).write(name)
    await writer.write(data)
    await writer.commit()


class RecordingContainer:
    """A container as guests have it, by the Protocol; each call of it is a step of the fake."""

    __slots__ = ("_container", "_step", "name")

    def __init__(self, store: FakeBlobstore, container: MemoryContainer) -> None:
        self.name = container.name
        self._container = container
        self._step = store.step

    async def info(self) -> ContainerInfo:
        """Return what is known of it."""
        await self._step("info", self.name)
        return await self._container.info()

    async def read(self, name: str, start: int, end: int) -> MemoryReader:
        """Return the bytes from `start` to `end`, both included."""
        await self._step("read", self.name, name, start, end)
        return await self._container.read(name, start, end)

    async def write(self, name: str) -> RecordingWriter:
        """Begin an object."""
        await self._step("write", self.name, name)
        return RecordingWriter(self, name, await self._container.write(name))

    async def committed(self, name: str, data: bytes) -> None:
        """Note that an object is about to be there."""
        await self._step("commit", self.name, name, data)

    async def list_objects(self, cursor: str | None = None) -> NamePage:
        """Return a page of names."""
        await self._step("list_objects", self.name, cursor)
        return await self._container.list_objects(cursor)

    async def delete_objects(self, names: Sequence[str]) -> None:
        """Delete each object that exists."""
        await self._step("delete_objects", self.name, list(names))
        await self._container.delete_objects(names)

    async def has_object(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        await self._step("has_object", self.name, name)
        return await self._container.has_object(name)

    async def object_info(self, name: str) -> ObjectInfo:
        """Return what is known of an object."""
        await self._step("object_info", self.name, name)
        return await self._container.object_info(name)

    async def clear(self) -> None:
        """Delete all objects."""
        await self._step("clear", self.name)
        await self._container.clear()


class RecordingWriter:
    """An object on its way in, remembered as a whole when it is finished."""

    __slots__ = ("_container", "_name", "_pieces", "_writer")

    def __init__(self, container: RecordingContainer, name: str, writer: MemoryWriter) -> None:
        self._container = container
        self._name = name
        self._writer = writer
        self._pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        """Take the next piece."""
        await self._writer.write(data)
        self._pieces.append(bytes(data))

    async def commit(self) -> None:
        """Make the object visible."""
        await self._container.committed(self._name, b"".join(self._pieces))
        await self._writer.commit()

    def abort(self) -> None:
        """Forget the object."""
        self._writer.abort()
