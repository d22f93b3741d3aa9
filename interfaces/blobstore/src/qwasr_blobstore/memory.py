"""The embedded default: containers in this process, gone with it."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from qwasr.options import ConnectOptions, env
from qwasr_blobstore._memory_streams import Bytes, MemoryReader, MemoryWriter
from qwasr_blobstore.errors import BlobstoreError, ContainerExists, NoSuchContainer, NoSuchObject, OutOfSpace
from qwasr_blobstore.limits import PAGE_NAMES, check_name, span
from qwasr_blobstore.protocol import ContainerInfo, NamePage, ObjectId, ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Memory", "MemoryContainer", "MemoryOptions"]

_ENTRY_BYTES: Final = 400  # what Python keeps beside an object's name and bytes, rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions(ConnectOptions):
    """How much is kept."""

    max_bytes: int = env(
        "QWASR_BLOBSTORE_MEMORY_BYTES",
        default=256 * 1024 * 1024,
        minimum=0,
        maximum=2**44,
        help="all objects of the memory backend together, bytes; writing above it is an error",
    )


@dataclass(frozen=True, slots=True)
class _Object:
    data: Bytes
    created_at: int


@dataclass(slots=True)
class _Contents:
    created_at: int
    objects: dict[str, _Object] = field(default_factory=dict)
    sorted_names: list[str] | None = None  # for listings, until a name comes or goes


class Memory:
    """Containers in this process.

    Args:
        options: how much is kept.
        clock: Unix time in seconds; tests pass their own.

    Attributes:
        used_bytes: what all of it takes, what is being written included.
    """

    name: ClassVar[str] = "memory"
    provides: ClassVar[tuple[str, ...]] = ("blobstore",)
    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    Options: ClassVar[type[ConnectOptions]] = MemoryOptions
    per_process: ClassVar[bool] = True  # refused where several workers serve one component

    def __init__(self, options: MemoryOptions | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._max_bytes = (options or MemoryOptions()).max_bytes
        self._clock = clock
        self.used_bytes = 0
        self._containers: dict[str, _Contents] = {}

    @classmethod
    async def connect(cls, options: MemoryOptions) -> Self:
        """Return an empty store."""
        return cls(options)

    async def check(self) -> None:
        """Be usable."""

    async def close(self) -> None:
        """Forget everything."""
        for name in list(self._containers):
            await self.delete_container(name)

    async def create_container(self, name: str) -> MemoryContainer:
        """Make a container."""
        check_name(name, "a container")
        if name in self._containers:
            raise ContainerExists("there is a container of that name already")
        self.reserve(len(name) + _ENTRY_BYTES)
        self._containers[name] = _Contents(self.now())
        return MemoryContainer(self, name)

    async def get_container(self, name: str) -> MemoryContainer:
        """Return a container."""
        self.contents(name)
        return MemoryContainer(self, name)

    async def delete_container(self, name: str) -> None:
        """Delete a container with everything in it."""
        self.remove(name, list(self.contents(name).objects))
        del self._containers[name]
        self.release(len(name) + _ENTRY_BYTES)

    async def container_exists(self, name: str) -> bool:
        """Return whether there is a container of that name."""
        return name in self._containers

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target a copy of the source; the bytes are there once, and count twice."""
        found = self.find(source.container, source.object)
        if source != target:
            self._add(target, _Object(found.data, self.now()))

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target what the source is, and the source nothing."""
        found = self.find(source.container, source.object)
        self.contents(target.container)
        if source == target:
            return
        self.remove(source.container, [source.object])
        try:
            self._add(target, found)
        except BlobstoreError:
            self._add(source, found)
            raise

    # ------------------------------------------------------------------ for containers and writers

    def now(self) -> int:
        """Return Unix time, whole seconds."""
        return int(self._clock())

    def reserve(self, size: int) -> None:
        """Take room.

        Raises:
            OutOfSpace: there is none.
        """
        if self.used_bytes + size > self._max_bytes:
            raise OutOfSpace(f"the store is full: {self._max_bytes} bytes (QWASR_BLOBSTORE_MEMORY_BYTES)")
        self.used_bytes += size

    def release(self, size: int) -> None:
        """Give room back."""
        self.used_bytes -= size

    def names(self) -> list[str]:
        """Return the names of all containers."""
        return list(self._containers)

    def contents(self, name: str) -> _Contents:
        """Return what is in a container, or raise `NoSuchContainer`."""
        contents = self._containers.get(name)
        if contents is None:
            raise NoSuchContainer("there is no container of that name")
        return contents

    def find(self, container: str, name: str) -> _Object:
        """Return an object, or raise `NoSuchObject`."""
        found = self.contents(container).objects.get(name)
        if found is None:
            raise NoSuchObject("there is no object of that name")
        return found

    def put(self, container: str, name: str, data: Bytes) -> None:
        """Set an object; room for its bytes was taken before."""
        self.place(container, name, _Object(data, self.now()))

    def _add(self, place: ObjectId, new: _Object) -> None:
        self.contents(place.container)
        self.reserve(len(new.data))
        try:
            self.place(place.container, place.object, new)
        except BlobstoreError:
            self.release(len(new.data))
            raise

    def place(self, container: str, name: str, new: _Object) -> None:
        """Set an object; room for its bytes was taken before."""
        check_name(name, "an object")
        contents = self.contents(container)
        old = contents.objects.get(name)
        if old is None:
            self.reserve(len(name) + _ENTRY_BYTES)
            contents.sorted_names = None
        else:
            self.release(len(old.data))
        contents.objects[name] = new

    def remove(self, container: str, names: Sequence[str]) -> None:
        """Delete objects."""
        contents = self.contents(container)
        for name in names:
            old = contents.objects.pop(name, None)
            if old is not None:
                contents.sorted_names = None
                self.release(len(old.data) + len(name) + _ENTRY_BYTES)


class MemoryContainer:
    """One container of a `Memory`."""

    def __init__(self, store: Memory, name: str) -> None:
        self.name = name
        self._store = store

    async def info(self) -> ContainerInfo:
        """Return what is known of it."""
        return ContainerInfo(self.name, self._store.contents(self.name).created_at)

    async def read(self, name: str, start: int, end: int) -> MemoryReader:
        """Return the bytes from `start` to `end`, both included."""
        data = self._store.find(self.name, name).data
        return MemoryReader(data, start, span(start, end, len(data)))

    async def write(self, name: str) -> MemoryWriter:
        """Begin an object."""
        check_name(name, "an object")
        self._store.contents(self.name)
        return MemoryWriter(self._store, self.name, name)

    async def list_objects(self, cursor: str | None = None) -> NamePage:
        """Return one page of names, in the order of their code points."""
        contents = self._store.contents(self.name)
        if contents.sorted_names is None:
            contents.sorted_names = sorted(contents.objects)
        names = contents.sorted_names
        begin = 0 if cursor is None else bisect_right(names, cursor)
        page = names[begin : begin + PAGE_NAMES]
        return NamePage(page, page[-1] if begin + PAGE_NAMES < len(names) else None)

    async def delete_objects(self, names: Sequence[str]) -> None:
        """Delete each object that exists."""
        self._store.remove(self.name, names)

    async def has_object(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        return name in self._store.contents(self.name).objects

    async def object_info(self, name: str) -> ObjectInfo:
        """Return what is known of an object."""
        found = self._store.find(self.name, name)
        return ObjectInfo(name, self.name, found.created_at, len(found.data))

    async def clear(self) -> None:
        """Delete all objects."""
        self._store.remove(self.name, list(self._store.contents(self.name).objects))
