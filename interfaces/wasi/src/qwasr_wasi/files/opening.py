"""Opening files and folders, and making files.

What is neither is not opened: a device or a pipe could hold the thread, and may do something because it is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from qwasr_wasi.files.beneath import Place, beneath, fault
from qwasr_wasi.files.operations import follows, resize
from qwasr_wasi.files.threads import Handle

if TYPE_CHECKING:
    from collections.abc import Set

    from qwasr_wasi.files.mounts import Mount

__all__ = ["open_file"]

_QUIETLY: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_SYNC: Final = {
    "file-integrity-sync": os.O_SYNC,
    "data-integrity-sync": os.O_DSYNC,
    "requested-write-sync": getattr(os, "O_RSYNC", os.O_SYNC),
}


def open_file(
    mount: Mount, base: int, path: str, owner: str, *, follow: bool, how: Set[str], flags: Set[str]
) -> Handle:
    """Open a file or folder, or make a file.

    Args:
        mount: where the folder belongs to.
        base: the folder that the path starts at.
        path: the guest's.
        owner: whose place among the open files it takes.
        follow: whether a link at its end is followed.
        how: the WIT's `open-flags`.
        flags: the WIT's `descriptor-flags`.

    Returns:
        What was opened, held by the caller.
    """
    follow = follows(path, follow=follow) and not {"create", "exclusive"} <= how
    with mount.mounts.places.taking(owner), beneath(base, path, follow=follow) as place:
        fd = _open(mount, place, how, flags)
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode):
                handle = Handle(mount.mounts.threads, fd, status, mount.ledger, owner=owner)
            elif stat.S_ISDIR(status.st_mode):
                return Handle(mount.mounts.threads, fd, status, owner=owner)
            else:
                raise fault(errno.EPERM)
        except BaseException:
            os.close(fd)
            raise
    if "truncate" in how:
        try:
            resize(mount, handle, 0)
        except BaseException:
            handle.release()
            raise
    return handle


def _open(mount: Mount, place: Place, how: Set[str], flags: Set[str]) -> int:
    wanted = _QUIETLY
    for flag, bit in _SYNC.items():
        if flag in flags:
            wanted |= bit
    if "write" in flags or "truncate" in how:
        wanted |= os.O_RDWR if "read" in flags else os.O_WRONLY
    if "directory" in how or place.folder:
        if "create" in how:
            raise fault(errno.EISDIR)
        wanted |= os.O_DIRECTORY
    if "create" not in how:
        return _open_existing(place, wanted)
    while "exclusive" not in how:
        try:
            return _open_existing(place, wanted)
        except FileNotFoundError:
            pass
        try:
            return _create(mount, place, wanted)
        except FileExistsError:  # someone else made it at this moment
            if stat.S_ISLNK(os.lstat(place.name, dir_fd=place.fd).st_mode):
                raise fault(errno.ELOOP) from None
    return _create(mount, place, wanted)


def _open_existing(place: Place, wanted: int) -> int:
    # Looked at before it is opened: to open a device or a pipe can do something.
    mode = os.lstat(place.name, dir_fd=place.fd).st_mode
    if stat.S_ISLNK(mode):
        raise fault(errno.ELOOP)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise fault(errno.EPERM)
    return os.open(place.name, wanted, dir_fd=place.fd)


def _create(mount: Mount, place: Place, wanted: int) -> int:
    with mount.ledger.naming():
        return os.open(place.name, wanted | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=place.fd)
