"""The embedded store that lasts: a folder, which several workers and processes may share.

`QWASR_BLOBSTORE=file:///path` chooses it. A container is a folder in it, an object a file, under names that every disk
takes (`qwasr_blobstore._names`). What is not finished waits beside the containers. All work is done in threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from qwasr.errors import BackendError
from qwasr.files import path_of_url
from qwasr.options import ConnectOptions, env
from qwasr_blobstore._carry import carry
from qwasr_blobstore.errors import BlobstoreError, NoSuchContainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_blobstore._disk import Threads
    from qwasr_blobstore._drafts import Draft
    from qwasr_blobstore._folder_files import Files
    from qwasr_blobstore._folder_streams import FolderReader, FolderWriter
    from qwasr_blobstore._open_files import OpenFile
    from qwasr_blobstore.protocol import ContainerInfo, NamePage, ObjectId, ObjectInfo

__all__ = ["Folder", "FolderOptions"]

_TOO_MANY_OPEN: Final = (
    "too many objects are being read and written at once (QWASR_BLOBSTORE_FOLDER_MAX_OPEN, "
    "QWASR_BLOBSTORE_FOLDER_MAX_OPEN_PER_CALL)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions(ConnectOptions):
    """Where the folder is, what it survives, and how much it takes."""

    url: str = env(
        "QWASR_BLOBSTORE_FOLDER_URL",
        address=True,
        help="the folder: file:///relative or file:////absolute; made when not there",
    )
    durable: bool = env(
        "QWASR_BLOBSTORE_FOLDER_DURABLE",
        default=True,
        help="whether what is acknowledged survives the end of the machine, and not of the process alone",
    )
    max_object_bytes: int = env(
        "QWASR_BLOBSTORE_FOLDER_MAX_OBJECT_BYTES",
        default=64 * 1024**3,
        minimum=0,
        maximum=2**62,
        help="size of one object, bytes; writing above it is an error",
    )
    min_free_bytes: int = env(
        "QWASR_BLOBSTORE_FOLDER_MIN_FREE_BYTES",
        default=64 * 1024**2,
        minimum=0,
        maximum=2**62,
        help="how much of the disk stays free, bytes; writing below it is an error",
    )
    max_open: int = env(
        "QWASR_BLOBSTORE_FOLDER_MAX_OPEN",
        default=512,
        minimum=1,
        maximum=1_000_000,
        help="how many objects are read and written at once, at most an eighth of the files that the process may open",
    )
    max_open_per_call: int = env(
        "QWASR_BLOBSTORE_FOLDER_MAX_OPEN_PER_CALL",
        default=64,
        minimum=1,
        maximum=1_000_000,
        help="how many objects one call of a guest reads and writes at once",
    )

    @property
    def path(self) -> Path:
        """Return the folder that the URL names.

        Raises:
            OptionError: it names none.
        """
        return path_of_url(self.url, "file", "QWASR_BLOBSTORE_FOLDER_URL")


class Folder:
    """Containers in a folder.

    Args:
        files: what works on the disk.
        threads: where it does.
    """

    name: ClassVar[str] = "folder"
    provides: ClassVar[tuple[str, ...]] = ("blobstore",)
    schemes: ClassVar[tuple[str, ...]] = ("file",)
    Options: ClassVar[type[ConnectOptions]] = FolderOptions

    def __init__(self, files: Files, threads: Threads) -> None:
        self._files = files
        self._threads = threads

    @classmethod
    async def connect(cls, options: FolderOptions) -> Self:
        """Make the folder if it is not there.

        Raises:
            BackendError: it cannot be used.
        """
        from qwasr_blobstore._disk import Threads
        from qwasr_blobstore._folder_files import Files
        from qwasr_blobstore._open_files import OpenFiles
        from qwasr_wasi.sockets.settings import open_files_limit

        most = min(options.max_open, max(1, open_files_limit() // 8))
        threads = Threads()
        make = partial(
            Files,
            options.path.absolute(),
            durable=options.durable,
            max_bytes=options.max_object_bytes,
            min_free_bytes=options.min_free_bytes,
            open_files=OpenFiles(most, options.max_open_per_call, _TOO_MANY_OPEN),
        )
        try:
            return cls(await threads.run(make), threads)
        except BlobstoreError as error:
            await threads.close()
            raise BackendError(f"QWASR_BLOBSTORE_FOLDER_URL={options.url}: {error}") from None

    async def check(self) -> None:
        """Raise `BackendError` when the folder is gone or cannot be written."""
        try:
            await self._threads.run(self._files.check)
        except BlobstoreError as error:
            raise BackendError(str(error)) from None

    async def close(self) -> None:
        """Return when the disk has done what it was told."""
        await self._threads.close()

    async def create_container(self, name: str) -> FolderContainer:
        """Make a container."""
        await self._threads.run(self._files.create, name)
        return FolderContainer(self._files, self._threads, name)

    async def get_container(self, name: str) -> FolderContainer:
        """Return a container."""
        container = FolderContainer(self._files, self._threads, name)
        if not await self.container_exists(name):
            raise NoSuchContainer("there is no container of that name")
        return container

    async def delete_container(self, name: str) -> None:
        """Delete a container with everything in it."""
        await self._threads.run(self._files.remove, name)

    async def container_exists(self, name: str) -> bool:
        """Return whether there is a container of that name."""
        return await self._threads.run(self._files.exists, name)

    async def copy_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target a copy of the source."""
        origin = FolderContainer(self._files, self._threads, source.container)
        if source == target:
            await origin.object_info(source.object)
            return
        await carry(origin, source.object, await self.get_container(target.container), target.object)

    async def move_object(self, source: ObjectId, target: ObjectId) -> None:
        """Make the target what the source is, and the source nothing."""
        await self._threads.run(self._files.move, source, target)


class FolderContainer:
    """One container of a `Folder`."""

    def __init__(self, files: Files, threads: Threads, name: str) -> None:
        self.name = name
        self._files = files
        self._threads = threads

    async def info(self) -> ContainerInfo:
        """Return what is known of it."""
        return await self._threads.run(self._files.info, self.name)

    async def read(self, name: str, start: int, end: int) -> FolderReader:
        """Return the bytes from `start` to `end`, both included."""
        from qwasr_blobstore._folder_streams import FolderReader
        from qwasr_blobstore._open_files import owner_now

        file, size = await self._threads.run(self._files.open, self.name, name, start, end, owner_now(), undo=_close)
        return FolderReader(self._threads, file, start, size)

    async def write(self, name: str) -> FolderWriter:
        """Begin an object."""
        from qwasr_blobstore._folder_streams import FolderWriter
        from qwasr_blobstore._open_files import owner_now

        draft = await self._threads.run(self._files.draft, self.name, name, owner_now(), undo=_discard)
        return FolderWriter(self._files, self._threads, draft)

    async def list_objects(self, cursor: str | None = None) -> NamePage:
        """Return one page of names."""
        return await self._threads.run(self._files.page, self.name, cursor)

    async def delete_objects(self, names: Sequence[str]) -> None:
        """Delete each object that exists."""
        await self._threads.run(self._files.delete, self.name, names)

    async def has_object(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        return await self._threads.run(self._files.has, self.name, name)

    async def object_info(self, name: str) -> ObjectInfo:
        """Return what is known of an object."""
        return await self._threads.run(self._files.object_info, self.name, name)

    async def clear(self) -> None:
        """Delete all objects."""
        await self._threads.run(self._files.clear, self.name)


def _close(opened: tuple[OpenFile, int]) -> None:
    opened[0].close()


def _discard(draft: Draft) -> None:
    draft.discard()
