"""How much a mounted folder holds, how much it may, and which of its files are open.

With a limit, everything that could make the folder larger happens under one lock, between a look before and a look
after, so within one process the count is exact, whatever fails half-way. What others change in the folder, another
worker included, is found when it is counted anew: before something is refused, and now and then while it grows.

A file that is deleted while it is open counts until it is closed, since it still takes up space. A name counts too,
or a guest could fill the file system with empty files.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qwasr_wasi.files.beneath import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwasr_wasi.files.threads import Handle

__all__ = ["NAME_BYTES", "Entry", "Ledger"]

NAME_BYTES: Final = 1024
"""What a file, folder or link counts besides its bytes."""

_AGAIN_S: Final = 1.0  # after which a full folder is counted anew
_STALE_S: Final = 10.0  # after which a growing one is
_REST: Final = 20  # counting takes at most one part in so many of the time
_MAX_DEPTH: Final = 200  # of folders in folders that are counted; each is open meanwhile
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry:
    """One file that is open.

    Attributes:
        handles: those that have it open.
        version: grows when it is written, so that what was read ahead is not taken for what it holds.
        deleted: whether its last name is gone.
    """

    __slots__ = ("deleted", "handles", "version")

    def __init__(self) -> None:
        self.handles: set[Handle] = set()
        self.version = 0
        self.deleted = False


class Ledger:
    """What is known of one mounted folder.

    Args:
        root: the open folder.
        limit_bytes: how much it may hold; ``None`` when it is not counted.
        clock: seconds that never go back.
    """

    def __init__(self, root: int, limit_bytes: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[int, int], Entry] = {}
        self._used = 0
        self._counted_at: float | None = None
        self._counting_s = 0.0

    @property
    def limited(self) -> bool:
        """Whether the folder is counted."""
        return self._limit_bytes is not None

    @property
    def used_bytes(self) -> int:
        """How much the folder holds, as far as is known."""
        return self._used

    def enter(self, handle: Handle) -> Entry:
        """Note that a handle has a file open."""
        with self._lock:
            entry = self._entries.setdefault(handle.identity, Entry())
            entry.handles.add(handle)
            if self.limited and not entry.deleted and (status := os.fstat(handle.fd)).st_nlink == 0:
                entry.deleted = True  # between its opening and now
                self._used += status.st_size
            return entry

    def leave(self, handle: Handle) -> None:
        """Note that a handle is about to close its file."""
        with self._lock:
            entry = self._entries[handle.identity]
            entry.handles.remove(handle)
            if not entry.handles:
                del self._entries[handle.identity]
                if entry.deleted and self.limited:
                    self._used -= os.fstat(handle.fd).st_size

    @contextmanager
    def resizing(self, fd: int, end: int | None, more: int = 0) -> Iterator[None]:
        """Let the size of a file change, to at most `end` bytes or by at most `more` of them.

        Raises:
            OSError: `EDQUOT`, the folder may not hold that much.
        """
        if not self.limited:
            yield
            return
        with self._lock:
            before = os.fstat(fd).st_size
            self._reserve(more if end is None else end - before)
            try:
                yield
            finally:
                self._used += os.fstat(fd).st_size - before

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let a name be made; the body fails when it is not.

        Raises:
            OSError: `EDQUOT`, the folder may not hold one more.
        """
        if not self.limited:
            yield
            return
        with self._lock:
            self._reserve(NAME_BYTES)
            yield
            self._used += NAME_BYTES

    @contextmanager
    def unnaming(self, fd: int, name: bytes) -> Iterator[None]:
        """Let a name be taken away; the body fails when it is not."""
        if not self.limited:
            yield
            return
        with self._lock:
            gone = os.lstat(name, dir_fd=fd)
            yield
            self._lose(gone)

    @contextmanager
    def renaming(self, old_fd: int, old: bytes, new_fd: int, new: bytes) -> Iterator[None]:
        """Let a name be changed, which may take away what had the new one."""
        if not self.limited:
            yield
            return
        with self._lock:
            moved, replaced = os.lstat(old, dir_fd=old_fd), _status(new_fd, new)
            yield
            # Of two names of one file neither is taken away: renaming does nothing then.
            if replaced is not None and not os.path.samestat(moved, replaced):
                self._lose(replaced)

    def _lose(self, gone: os.stat_result) -> None:
        self._used -= NAME_BYTES
        if stat.S_ISREG(gone.st_mode) and gone.st_nlink <= 1:
            entry = self._entries.get((gone.st_dev, gone.st_ino))
            if entry is None:
                self._used -= gone.st_size
            else:
                entry.deleted = True

    def _reserve(self, more: int) -> None:
        """See to it that the folder may hold `more` bytes than it does."""
        if more <= 0 or self._limit_bytes is None:
            return
        full = self._used + more > self._limit_bytes
        age_s = self._clock() - self._counted_at if self._counted_at is not None else None
        if age_s is None or age_s > max(_AGAIN_S if full else _STALE_S, self._counting_s * _REST):
            self._count()
        if self._used + more > self._limit_bytes:
            raise fault(errno.EDQUOT)

    def _count(self) -> None:
        began = self._clock()
        used, complete = _held(self._root)
        for entry in self._entries.values():
            if entry.deleted:
                used += os.fstat(next(iter(entry.handles)).fd).st_size
        # What cannot be looked into does not get smaller by that.
        self._used = used if complete else max(used, self._used)
        self._counted_at = self._clock()
        self._counting_s = self._counted_at - began


def _status(fd: int, name: bytes) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=fd)
    except FileNotFoundError:
        return None


def _held(root: int) -> tuple[int, bool]:
    """Return how much a folder holds, and whether all of it could be looked at."""
    used, complete = 0, True
    seen: set[tuple[int, int]] = set()  # files with several names
    folders: list[tuple[int, list[str]]] = []

    def look_into(name: str, fd: int) -> None:
        nonlocal used, complete
        if len(folders) > _MAX_DEPTH:
            complete = False
            return
        inner: list[str] = []
        try:
            opened = os.open(name, _FOLDER, dir_fd=fd)
        except OSError:  # gone or not readable: part of the answer
            complete = False
            return
        folders.append((opened, inner))
        with os.scandir(opened) as entries:
            for entry in entries:
                used += NAME_BYTES
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.name)
                elif entry.is_file(follow_symlinks=False) and (status := _entry_status(entry)) is not None:
                    identity = (status.st_dev, status.st_ino)
                    if status.st_nlink == 1 or identity not in seen:
                        used += status.st_size
                    if status.st_nlink > 1:
                        seen.add(identity)

    try:
        look_into(".", root)
        while folders:
            fd, names = folders[-1]
            if names:
                look_into(names.pop(), fd)
            else:
                os.close(fd)
                folders.pop()
    finally:
        for fd, _ in folders:
            os.close(fd)
    return used, complete


def _entry_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
