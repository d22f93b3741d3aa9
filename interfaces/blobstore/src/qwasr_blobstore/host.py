"""wasi:blobstore@0.2.0-draft: blobstore and container.

The signatures are those of the WASI proposal; semantics are told in `qwasr_blobstore.protocol`, bounds in
`qwasr_blobstore.limits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface, HostResource
from qwasr_blobstore._answers import host_function, long_function, within
from qwasr_blobstore._carry import carry
from qwasr_blobstore.errors import TooLarge
from qwasr_blobstore.limits import MAX_NAMES, MAX_NAMES_BYTES, check_name
from qwasr_blobstore.protocol import ObjectId
from qwasr_blobstore.values import IncomingValue, OutgoingValue

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_blobstore import protocol
    from qwasr_blobstore.protocol import ContainerInfo, ObjectInfo

__all__ = ["Blobstore", "Container", "ContainerInterface", "StreamObjectNames"]


class StreamObjectNames(HostResource):
    """wasi:blobstore/container.stream-object-names: the names of a container's objects, page by page."""

    __slots__ = ("_container", "_cursor", "_names", "_over")

    def __init__(self, container: protocol.Container) -> None:
        self._container = container
        self._names: list[str] = []  # of a page, the next one last
        self._cursor: str | None = None
        self._over = False

    @host_function
    async def read_stream_object_names(self, len: int) -> tuple[list[str], bool]:  # noqa: A002 - the WIT's name
        """Return up to `len` names, 10 000 or a mebibyte at most, and whether that was the end."""
        return await self._take(min(len, MAX_NAMES))

    @long_function
    async def skip_stream_object_names(self, num: int) -> tuple[int, bool]:
        """Skip up to `num` names; return how many, and whether that was the end."""
        skipped = 0
        while skipped < num:
            names, over = await self._take(min(num - skipped, MAX_NAMES))
            skipped += len(names)
            if over:
                return skipped, True
        return skipped, await self._at_end()

    async def _take(self, count: int) -> tuple[list[str], bool]:
        taken: list[str] = []
        size = 0
        while len(taken) < count and size < MAX_NAMES_BYTES and not await self._at_end():
            size += len(self._names[-1].encode())
            taken.append(self._names.pop())
        return taken, await self._at_end()

    async def _at_end(self) -> bool:
        while not self._names and not self._over:
            page = await within(self._container.list_objects(self._cursor))
            self._names, self._cursor = page.names[::-1], page.cursor
            self._over = page.cursor is None
        return not self._names


class Container(HostResource):
    """wasi:blobstore/container.container: a named set of objects."""

    __slots__ = ("_container",)

    def __init__(self, container: protocol.Container) -> None:
        self._container = container

    def name(self) -> str:
        """Return its name."""
        return self._container.name

    @host_function
    async def info(self) -> ContainerInfo:
        """Return what is known of it."""
        return await self._container.info()

    @host_function
    async def get_data(self, name: str, start: int, end: int) -> IncomingValue:
        """Return the object's bytes from `start` to `end`, both included."""
        check_name(name, "an object")
        return IncomingValue(await self._container.read(name, start, end))

    @long_function
    async def write_data(self, name: str, data: OutgoingValue) -> None:
        """Write the value into an object of that name, which is visible when the value is finished."""
        check_name(name, "an object")
        await data.attach(self._container, name)

    @host_function
    async def list_objects(self) -> StreamObjectNames:
        """Return the names of all objects."""
        return StreamObjectNames(self._container)

    @host_function
    async def delete_object(self, name: str) -> None:
        """Delete an object if it exists."""
        check_name(name, "an object")
        await self._container.delete_objects([name])

    @host_function
    async def delete_objects(self, names: list[str]) -> None:
        """Delete each object that exists."""
        if len(names) > MAX_NAMES:
            raise TooLarge(f"{len(names)} names in one call, more than {MAX_NAMES}")
        for name in names:
            check_name(name, "an object")
        await self._container.delete_objects(names)

    @host_function
    async def has_object(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        check_name(name, "an object")
        return await self._container.has_object(name)

    @host_function
    async def object_info(self, name: str) -> ObjectInfo:
        """Return what is known of an object."""
        check_name(name, "an object")
        return await self._container.object_info(name)

    @long_function
    async def clear(self) -> None:
        """Delete all objects."""
        await self._container.clear()


class ContainerInterface(HostInterface, wit="wasi:blobstore/container", resources=(Container, StreamObjectNames)):
    """wasi:blobstore/container: what is in a container."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need none: containers know their backend."""


class Blobstore(HostInterface, wit="wasi:blobstore/blobstore"):
    """wasi:blobstore/blobstore: containers, and objects that go from one to another."""

    def __init__(self, backends: Backends[protocol.Blobstore]) -> None:
        self._backends = backends

    @host_function
    async def create_container(self, name: str) -> Container:
        """Make a container."""
        return Container(await self._of(name).create_container(name))

    @host_function
    async def get_container(self, name: str) -> Container:
        """Return a container."""
        return Container(await self._of(name).get_container(name))

    @long_function
    async def delete_container(self, name: str) -> None:
        """Delete a container with everything in it."""
        await self._of(name).delete_container(name)

    @host_function
    async def container_exists(self, name: str) -> bool:
        """Return whether there is a container of that name."""
        return await self._of(name).container_exists(name)

    @long_function
    async def copy_object(self, src: ObjectId, dest: ObjectId) -> None:
        """Make the destination a copy of the source."""
        await self._bring(src, dest, move=False)

    @long_function
    async def move_object(self, src: ObjectId, dest: ObjectId) -> None:
        """Make the destination what the source is, and the source nothing."""
        await self._bring(src, dest, move=True)

    def _of(self, container: str) -> protocol.Blobstore:
        check_name(container, "a container")
        return self._backends.named(container)

    async def _bring(self, src: ObjectId, dest: ObjectId, *, move: bool) -> None:
        source, target = ObjectId(src.container, src.object), ObjectId(dest.container, dest.object)
        check_name(source.object, "an object")
        check_name(target.object, "an object")
        here, there = self._of(source.container), self._of(target.container)
        if here is there:
            await (here.move_object(source, target) if move else here.copy_object(source, target))
            return
        origin = await within(here.get_container(source.container))
        await carry(origin, source.object, await within(there.get_container(target.container)), target.object)
        if move:
            await within(origin.delete_objects([source.object]))
