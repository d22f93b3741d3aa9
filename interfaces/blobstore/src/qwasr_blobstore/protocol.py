"""What a blobstore backend implements.

A backend is any class that has `name`, `provides`, `schemes`, `Options`, `connect`, `check` and `close` (see
`qwasr.protocols.Backend`) and the methods of `Blobstore`::

    class S3:
        async def get_container(self, name: str) -> Container: ...
        ...

The class `qwasr_blobstore.compliance.BlobstoreCompliance` proves a backend; each sentence below is a test there.

Rules for every store:

- Names of containers and objects are any Unicode text of 1 to 1024 bytes in UTF-8: ``..``, ``a/b``, ``CON`` and NUL are
  names like others, and ``A`` is not ``a``. No name reaches anything outside of its container.
- An object is any number of bytes, none included. It streams: neither reading nor writing holds all of it in memory.
- A write becomes visible whole, at `Writer.commit`, or not at all, also when it is cancelled or the process is killed.
  It replaces an object of the same name. Who reads the old one meanwhile reads it to its end.
- Ranges are inclusive, as in HTTP (RFC 9110, 14.1.2): an end behind the object's is the object's end. A range that
  begins after its end, or behind the object's, is `InvalidRange`; of an empty object any range from 0 on is empty.
- What one client has committed, deleted, copied or moved everyone sees at once.
- `copy_object` and `move_object` replace an object of the target's name; they work across containers, and onto itself.
- A `Container` is a name and no more: everyone's containers of one name are the same one.
- Every call ends within the backend's own time-out, with `Unavailable` if the service does not answer. What grows with
  what is stored (`copy_object`, `move_object`, `clear`, `delete_container`) may take as long as it gets on.
- A call may be cancelled. What it has begun is then done or not done, and no later call is the worse for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Blobstore", "Container", "ContainerInfo", "NamePage", "ObjectId", "ObjectInfo", "Reader", "Writer"]


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """What is known of a container.

    Args:
        name: its name.
        created_at: Unix time, seconds.
    """

    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object.

    Args:
        name: its name.
        container: its container's name.
        created_at: when it was written or copied, Unix time, seconds.
        size: bytes.
    """

    name: str
    container: str
    created_at: int
    size: int


@dataclass(frozen=True, slots=True)
class ObjectId:
    """An object's place.

    Args:
        container: its container's name.
        object: its name.
    """

    container: str
    object: str


@dataclass(frozen=True, slots=True)
class NamePage:
    """One page of a container's object names.

    Args:
        names: each at most once, in an order that stays.
        cursor: what the next call passes to go on; `None` after the last page.
    """

    names: list[str]
    cursor: str | None = None


class Reader(Protocol):
    """An object, or a range of it, on its way out.

    Attributes:
        size: how many bytes it has.
    """

    size: int

    async def read(self) -> bytes:
        """Return the next piece, at most 1 MiB; ``b""`` at the end."""
        ...

    def close(self) -> None:
        """Read no more; called once."""
        ...


class Writer(Protocol):
    """An object on its way in. After `commit` or `abort` nothing is called any more."""

    async def write(self, data: bytes) -> None:
        """Take the next piece, at most 1 MiB.

        Raises:
            OutOfSpace: there is no room for it.
        """
        ...

    async def commit(self) -> None:
        """Make the object visible, whole.

        Raises:
            NoSuchContainer: the container is gone; so are the bytes.
        """
        ...

    def abort(self) -> None:
        """Forget what was written, now or soon; it never waits. Called too when `write` or `commit` failed."""
        ...


class Container(Protocol):
    """A named set of objects. When it is deleted, each method raises `NoSuchContainer`.

    Attributes:
        name: its name.
    """

    name: str

    async def info(self) -> ContainerInfo:
        """Return what is known of it."""
        ...

    async def read(self, name: str, start: int, end: int) -> Reader:
        """Return the bytes from `start` to `end`, both included.

        Raises:
            NoSuchObject: there is none of that name.
            InvalidRange: there are no such bytes.
        """
        ...

    async def write(self, name: str) -> Writer:
        """Begin an object."""
        ...

    async def list_objects(self, cursor: str | None = None) -> NamePage:
        """Return one page of names, at most 1 000.

        Following the cursor to its end yields every object that existed all the while exactly once, whatever else is
        written meanwhile. It never holds more than a page.
        """
        ...

    async def delete_objects(self, names: Sequence[str]) -> None:
        """Delete each object that exists; when it fails, some may have been deleted."""
        ...

    async def has_object(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        ...

    async def object_info(self, name: str) -> ObjectInfo:
        """Return what is known of an object.

        Raises:
            NoSuchObject: there is none of that name.
        """
        ...

    async def clear(self) -> None:
        """Delete all objects that there are when it begins; the container stays, and what is written meanwhile may."""
        ...


class Blobstore(Protocol):
    """The blobstore side of a backend."""

    async def create_container(self, name: str) -> Container:
        """Make a container.

        Raises:
            ContainerExists: there is one.
        """
        ...

    async def get_container(self, name: str) -> Container:
        """Return a container.

        Raises:
            NoSuchContainer: there is none of that name.
        """
        ...

    async def delete_container(self, name: str) -> None:
        """Delete a container with everything in it.

        Raises:
            NoSuchContainer: there is none of that name.
        """
        ...

    async def container_exists(self, name: str) -> bool:
        """Return whether there is a container of that name."""
        ...

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target a copy of the source.

        Raises:
            NoSuchContainer: of one of them there is none.
            NoSuchObject: there is no source.
        """
        ...

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target what the source is, and the source nothing; raises as `copy_object`."""
        ...
