"""Objects' files that are not finished: where they wait, how they are given up, and which nobody will finish."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from qwasr_blobstore._disk import disk_errors
from qwasr_blobstore.errors import OutOfSpace, TooLarge

if TYPE_CHECKING:
    from pathlib import Path

    from qwasr_blobstore._open_files import OpenFile

__all__ = ["Draft", "forget", "is_abandoned", "open_draft"]

_STALE_S: Final = 3600
_SYNC_BYTES: Final = 64 * 1024 * 1024  # are given to the disk at once, so that the last ones do not take long


def open_draft(path: Path) -> int:
    """Make a draft's file; it is locked as long as its process lives, which tells it from what a killed one left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a disk without locks: what is left behind there stays
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


class Draft:
    """An object's file that is being written. It blocks.

    Args:
        path: where it is until it is complete.
        file: the same, as `open_draft` opened it.
        container: the object's container.
        parts: the object's path in it.
        durable: whether it is given to the disk before it is complete.
        max_bytes: how large it may become.
        min_free_bytes: how much of the disk stays free.
    """

    def __init__(
        self,
        path: Path,
        file: OpenFile,
        container: str,
        parts: list[str],
        *,
        durable: bool,
        max_bytes: int,
        min_free_bytes: int,
    ) -> None:
        self.path = path
        self.container = container
        self.parts = parts
        self._durable = durable
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._size = 0
        self._synced = 0
        self._file = file

    def append(self, data: bytes) -> None:
        """Take the next piece."""
        if self._size + len(data) > self._max_bytes:
            raise TooLarge(
                f"the object is larger than {self._max_bytes} bytes (QWASR_BLOBSTORE_FOLDER_MAX_OBJECT_BYTES)"
            )
        with self._file.use() as descriptor, disk_errors():
            room = os.fstatvfs(descriptor)
            if room.f_bavail * room.f_frsize - len(data) < self._min_free_bytes:
                raise OutOfSpace("the store is full: the disk has to keep some room free")
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            self._size += len(data)
            if self._durable and self._size - self._synced >= _SYNC_BYTES:
                os.fsync(descriptor)
                self._synced = self._size

    def complete(self) -> None:
        """Give what is written to the disk."""
        if self._durable:
            with self._file.use() as descriptor, disk_errors():
                os.fsync(descriptor)

    def close(self) -> None:
        """Let go of it after it got its place."""
        self._file.close()

    def discard(self) -> None:
        """Delete it."""
        self._file.close()
        with disk_errors():
            self.path.unlink(missing_ok=True)


def is_abandoned(path: Path) -> bool:
    """Return whether something unfinished is of a process that is gone."""
    try:
        status = path.lstat()
        if time.time() - status.st_mtime < _STALE_S:
            return False
        if not stat.S_ISREG(status.st_mode):
            return True  # a container that was being made or deleted: neither takes so long
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # finished meanwhile
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # somebody writes it, or the disk cannot tell
    finally:
        os.close(descriptor)
    return True


def forget(path: Path) -> None:
    """Remove what is out of sight already; what stays is looked for at the next start."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
