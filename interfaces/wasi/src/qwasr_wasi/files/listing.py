"""The names in a folder, read a few at a time."""

from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from qwasr_wasi.files.beneath import fault
from qwasr_wasi.files.codes import kind_of
from qwasr_wasi.files.threads import Handle

if TYPE_CHECKING:
    from qwasr_wasi.files.mounts import Mount

__all__ = ["DirectoryEntry", "Listing", "open_listing"]

_AT_ONCE: Final = 256
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """wasi:filesystem/types.directory-entry: a name in a folder, and what it is the name of."""

    type: str
    name: str


class Listing(Handle):
    """An open folder whose names are being read, without ``.`` and ``..``."""

    __slots__ = ("_entries", "_read")

    def __init__(self, mount: Mount, fd: int, owner: str) -> None:
        super().__init__(mount.mounts.threads, fd, os.fstat(fd), owner=owner)
        self._entries = os.scandir(fd)
        self._read: deque[DirectoryEntry | None] = deque()

    async def next(self, mount: Mount) -> DirectoryEntry | None:
        """Return the next entry, nothing after the last one.

        Raises:
            OSError: `EILSEQ` for a name that is no text; the one after it can be read.
        """
        if not self._read:
            self._read += await mount.mounts.threads.run(self._some, holding=(self,))
        if not self._read:
            return None
        entry = self._read.popleft()
        if entry is None:
            raise fault(errno.EILSEQ)
        return entry

    def _some(self) -> list[DirectoryEntry | None]:
        return [_entry(entry) for entry in islice(self._entries, _AT_ONCE)]

    def _close(self) -> None:
        self._entries.close()
        super()._close()


def open_listing(mount: Mount, fd: int, owner: str) -> Listing:
    """Open a folder once more, since reading its names moves a position in it."""
    with mount.mounts.places.taking(owner):
        opened = os.open(".", _FOLDER, dir_fd=fd)
        try:
            return Listing(mount, opened, owner)
        except BaseException:
            os.close(opened)
            raise


def _entry(entry: os.DirEntry[str]) -> DirectoryEntry | None:
    try:
        name = os.fsencode(entry.name).decode()
    except UnicodeDecodeError:
        return None
    if entry.is_symlink():
        return DirectoryEntry("symbolic-link", name)
    if entry.is_dir(follow_symlinks=False):
        return DirectoryEntry("directory", name)
    if entry.is_file(follow_symlinks=False):
        return DirectoryEntry("regular-file", name)
    try:
        return DirectoryEntry(kind_of(entry.stat(follow_symlinks=False).st_mode), name)
    except FileNotFoundError:
        return DirectoryEntry("unknown", name)
