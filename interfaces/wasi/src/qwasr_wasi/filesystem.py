"""wasi:filesystem: the folders that are mounted (`QWASR_MOUNTS`), and what is in them.

Without a mount there is no descriptor, and nothing to open one from. What blocks runs in threads, which is everything
but what a descriptor knows of itself; see `qwasr_wasi.files`.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwasr.hosting import HostInterface, HostResource
from qwasr.values import WitError
from qwasr_wasi.ends import MAX_PIECE_BYTES
from qwasr_wasi.files import operations
from qwasr_wasi.files.beneath import fault
from qwasr_wasi.files.codes import KIND, DescriptorStat, HashValue, answering, answers, kind_of, metadata_hash, stated
from qwasr_wasi.files.listing import DirectoryEntry, Listing, open_listing
from qwasr_wasi.files.opening import open_file
from qwasr_wasi.files.operations import MAX_OFFSET
from qwasr_wasi.files.places import owner_now
from qwasr_wasi.files.streams import FileSink, FileSource
from qwasr_wasi.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from qwasr.protocols import Backends
    from qwasr.values import Variant
    from qwasr_wasi.ends import IoError
    from qwasr_wasi.files.mounts import Mount
    from qwasr_wasi.files.threads import Handle
    from qwasr_wasi.protocol import Wasi

__all__ = ["KIND", "Descriptor", "DirectoryEntryStream", "FilesystemTypes", "Preopens"]

T = TypeVar("T")
_CHANGES: Final = frozenset(("write", "mutate-directory"))
_MAKES: Final = frozenset(("create", "truncate"))
_NOT_WITH_DIRECTORY: Final = frozenset(("create", "exclusive", "truncate"))
_fdatasync: Final = getattr(os, "fdatasync", os.fsync)


class Descriptor(HostResource):
    """wasi:filesystem/types.descriptor: an open file or folder.

    Args:
        mount: where it is.
        handle: what is open; the descriptor holds it and lets go of it.
        flags: what it may be used for, `descriptor-flags`; a folder's follow from its mount.
    """

    __slots__ = ("_flags", "_handle", "_mount", "_type")

    def __init__(self, mount: Mount, handle: Handle, flags: Set[str] = frozenset()) -> None:
        self._mount = mount
        self._handle = handle
        self._type = kind_of(handle.mode)
        if stat.S_ISDIR(handle.mode):
            # A folder may be changed where its mount may, as it could be by a path from there. C libraries do not ask
            # for that when they open one, and make files in it nevertheless.
            flags = {"read", "mutate-directory"} if mount.writable else {"read"}
        self._flags = frozenset(flags)

    def get_flags(self) -> frozenset[str]:
        """Return what the descriptor may be used for."""
        return self._flags

    def get_type(self) -> str:
        """Return what is open."""
        return self._type

    def is_same_object(self, other: Descriptor) -> bool:
        """Say whether both are one file or folder."""
        return self._handle.identity == other._handle.identity

    def drop(self) -> None:
        """Let go of what is open; streams over it stay usable."""
        self._handle.release()

    def read_via_stream(self, offset: int) -> InputStream:
        """Return a stream of the file's bytes from an offset on."""
        self._must("read")
        with answers():
            return InputStream(FileSource(self._mount, self._handle, offset))

    def write_via_stream(self, offset: int) -> OutputStream:
        """Return a stream that writes from an offset on."""
        self._must("write")
        with answers():
            return OutputStream(FileSink(self._mount, self._handle, offset))

    def append_via_stream(self) -> OutputStream:
        """Return a stream that writes at the file's end."""
        self._must("write")
        with answers():
            return OutputStream(FileSink(self._mount, self._handle, None))

    @answering
    async def read(self, length: int, offset: int) -> tuple[bytes, bool]:
        """Return up to `length` bytes at an offset, at most 64 KiB, and whether that is the file's end."""
        self._must("read")
        if offset > MAX_OFFSET - MAX_PIECE_BYTES:
            raise fault(errno.EINVAL)
        data = await self._run(os.pread, self._handle.fd, min(length, MAX_PIECE_BYTES), offset)
        return data, not data  # also for 0 bytes: C libraries take nothing and no end for an interruption

    @answering
    async def write(self, buffer: bytes, offset: int) -> int:
        """Write bytes at an offset; return how many were written."""
        self._must("write")
        return await self._run(operations.write_at, self._mount, self._handle, buffer, offset)

    @answering
    async def advise(self, offset: int, length: int, advice: str) -> None:
        """Pass on how the file will be read."""
        await self._run(operations.advise, self._handle.fd, offset, length, advice)

    @answering
    async def sync_data(self) -> None:
        """Return when the file's data is on its disk."""
        await self._run(_fdatasync, self._handle.fd)

    @answering
    async def sync(self) -> None:
        """Return when the file's data and metadata is on its disk."""
        await self._run(os.fsync, self._handle.fd)

    @answering
    async def set_size(self, size: int) -> None:
        """Make the file shorter, or longer by zeroes."""
        self._must("write")
        await self._run(operations.resize, self._mount, self._handle, size)

    @answering
    async def set_times(self, data_access_timestamp: Variant, data_modification_timestamp: Variant) -> None:
        """Set the times of the file or folder."""
        self._must_change()
        await self._run(operations.set_times, self._handle.fd, data_access_timestamp, data_modification_timestamp)

    @answering
    async def stat(self) -> DescriptorStat:
        """Return what is known of the file or folder."""
        return stated(await self._run(os.fstat, self._handle.fd))

    @answering
    async def metadata_hash(self) -> HashValue:
        """Return a hash of which file it is."""
        return metadata_hash(await self._run(os.fstat, self._handle.fd))

    @answering
    async def read_directory(self) -> DirectoryEntryStream:
        """Return the names in the folder."""
        listing = await self._run(open_listing, self._mount, self._handle.fd, owner_now(), undo=Listing.release)
        return DirectoryEntryStream(self._mount, listing)

    @answering
    async def open_at(
        self, path_flags: frozenset[str], path: str, open_flags: frozenset[str], flags: frozenset[str]
    ) -> Descriptor:
        """Open a file or folder, or make a file."""
        if flags & _CHANGES or open_flags & _MAKES:
            self._must_change()
        if "directory" in open_flags and open_flags & _NOT_WITH_DIRECTORY:
            raise fault(errno.EINVAL)
        work = partial(open_file, follow=_follow(path_flags), how=open_flags, flags=flags)
        handle = await self._run(work, self._mount, self._handle.fd, path, owner_now(), undo=_release)
        return Descriptor(self._mount, handle, flags - {"mutate-directory"})

    @answering
    async def stat_at(self, path_flags: frozenset[str], path: str) -> DescriptorStat:
        """Return what is known of a file or folder."""
        return stated(await self._status_at(path_flags, path))

    @answering
    async def metadata_hash_at(self, path_flags: frozenset[str], path: str) -> HashValue:
        """Return a hash of which file it is."""
        return metadata_hash(await self._status_at(path_flags, path))

    @answering
    async def set_times_at(
        self,
        path_flags: frozenset[str],
        path: str,
        data_access_timestamp: Variant,
        data_modification_timestamp: Variant,
    ) -> None:
        """Set the times of a file or folder."""
        self._must_change()
        work = partial(operations.set_times_at, follow=_follow(path_flags))
        await self._run(work, self._handle.fd, path, data_access_timestamp, data_modification_timestamp)

    @answering
    async def readlink_at(self, path: str) -> str:
        """Return what a link says."""
        return await self._run(operations.read_link, self._handle.fd, path)

    @answering
    async def create_directory_at(self, path: str) -> None:
        """Make a folder."""
        self._must_change()
        await self._run(operations.make_folder, self._mount, self._handle.fd, path)

    @answering
    async def remove_directory_at(self, path: str) -> None:
        """Delete an empty folder."""
        self._must_change()
        await self._run(partial(operations.remove, folder=True), self._mount, self._handle.fd, path)

    @answering
    async def unlink_file_at(self, path: str) -> None:
        """Delete a name of a file, or a link."""
        self._must_change()
        await self._run(partial(operations.remove, folder=False), self._mount, self._handle.fd, path)

    @answering
    async def symlink_at(self, old_path: str, new_path: str) -> None:
        """Make a link that says `old_path`."""
        self._must_change()
        await self._run(operations.symlink, self._mount, old_path, self._handle.fd, new_path)

    @answering
    async def link_at(
        self, old_path_flags: frozenset[str], old_path: str, new_descriptor: Descriptor, new_path: str
    ) -> None:
        """Give a file one name more."""
        work = partial(operations.link, follow=_follow(old_path_flags))
        await self._between(work, old_path, new_descriptor, new_path)

    @answering
    async def rename_at(self, old_path: str, new_descriptor: Descriptor, new_path: str) -> None:
        """Give a file or folder another name."""
        await self._between(operations.rename, old_path, new_descriptor, new_path)

    async def _between(
        self, work: Callable[[Mount, int, str, int, str], None], path: str, other: Descriptor, new_path: str
    ) -> None:
        self._must_change()
        other._must_change()
        if other._mount is not self._mount:
            raise fault(errno.EXDEV)
        arguments = (self._mount, self._handle.fd, path, other._handle.fd, new_path)
        await self._mount.mounts.threads.run(work, *arguments, holding=(self._handle, other._handle))

    async def _status_at(self, path_flags: frozenset[str], path: str) -> os.stat_result:
        work = partial(operations.status_at, follow=_follow(path_flags))
        return await self._run(work, self._handle.fd, path)

    async def _run(self, work: Callable[..., T], *arguments: Any, undo: Callable[[T], object] | None = None) -> T:
        return await self._mount.mounts.threads.run(work, *arguments, holding=(self._handle,), undo=undo)

    def _must(self, flag: str) -> None:
        if self._type == "directory":
            raise WitError("is-directory")
        if flag not in self._flags:
            raise WitError("bad-descriptor")

    def _must_change(self) -> None:
        if not self._mount.writable:
            raise WitError("read-only")


class DirectoryEntryStream(HostResource):
    """wasi:filesystem/types.directory-entry-stream: the names in a folder."""

    __slots__ = ("_listing", "_mount")

    def __init__(self, mount: Mount, listing: Listing) -> None:
        self._mount = mount
        self._listing = listing

    @answering
    async def read_directory_entry(self) -> DirectoryEntry | None:
        """Return the next entry, nothing after the last one."""
        return await self._listing.next(self._mount)

    def drop(self) -> None:
        """Read no more names."""
        self._listing.release()


class FilesystemTypes(HostInterface, wit="wasi:filesystem/types", resources=(Descriptor, DirectoryEntryStream)):
    """wasi:filesystem/types: files and folders."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend: descriptors know their mount."""

    def filesystem_error_code(self, err: IoError) -> str | None:
        """Return the error code of a failed file stream, nothing for another stream's error."""
        return err.code if err.kind == KIND else None


class Preopens(HostInterface, wit="wasi:filesystem/preopens"):
    """wasi:filesystem/preopens: the folders that a guest is given."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._mounts = backends.default.mounts

    def get_directories(self) -> list[tuple[Descriptor, str]]:
        """Return the mounted folders with the guests' names for them."""
        return [(Descriptor(mount, mount.root.hold()), mount.guest) for mount in self._mounts]


def _follow(path_flags: frozenset[str]) -> bool:
    return "symlink-follow" in path_flags


def _release(handle: Handle) -> None:
    handle.release()
