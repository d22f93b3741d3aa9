"""A guest's path, resolved inside its folder, whatever happens to the folder meanwhile.

A path is never looked up as a whole. Each of its folders is opened from the one before it and never through a link;
a link is read, and what it says is walked in the same way; ``..`` goes back to the folder that was come from, which is
still open, and not above the first. So there is no moment in which a path was checked but is not yet used: whoever
exchanges a folder for a link during the walk changes which files inside are found, and nothing else. What remains is
an open folder and one name in it, and operations take the name as it is, without following a link.

Absolute paths and links to them are refused, as the WIT says: a guest's root is no place of the host.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_DEPTH", "MAX_LINKS", "MAX_PATH_BYTES", "Place", "beneath", "fault"]

MAX_PATH_BYTES: Final = 4096
"""The longest path, as UTF-8."""

MAX_DEPTH: Final = 100
"""How many folders a path may lead down at once: each is open during the walk."""

MAX_LINKS: Final = 40
"""How many links one path may lead through."""

_MAX_STEPS: Final = 4096  # of one walk, links included
_STEP: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(NamedTuple):
    """Where a path leads: a name in an open folder, and not through a link.

    Attributes:
        fd: the folder, open as long as the walk's context is.
        name: the last name, ``b"."`` when the path is the folder itself; nothing need be there.
        folder: whether the path ends as only a folder's does, with a slash.
    """

    fd: int
    name: bytes
    folder: bool


def fault(code: int) -> OSError:
    """Return the error with this number, without a path in its text."""
    return OSError(code, os.strerror(code))


@contextmanager
def beneath(base: int, path: str, *, follow: bool) -> Iterator[Place]:
    """Walk from an open folder to where a path leads.

    Args:
        base: the folder, which is not left.
        path: from there; a guest's.
        follow: whether a link at the path's end counts for what it leads to.

    Raises:
        OSError: `EPERM` when the path leads out of the folder, `ENAMETOOLONG` beyond the limits above, `ELOOP` for too
            many links, and what the operating system says.
    """
    pending, folder = _parts(path.encode())
    folders = [base]
    links = 0
    try:
        for _ in range(_MAX_STEPS):
            name = pending.pop()
            if name == b"..":
                if len(folders) == 1:
                    raise fault(errno.EPERM)
                os.close(folders.pop())
                pending = pending or [b"."]
                continue
            last = not pending
            if last:
                target = _link(folders[-1], name) if follow else None
                if target is None:
                    yield Place(folders[-1], name, folder)
                    return
            else:
                target = None if name == b"." else _enter(folders, name)
                if target is None:
                    continue
            links += 1
            if links > MAX_LINKS:
                raise fault(errno.ELOOP)
            parts, ends_as_folder = _parts(target)
            folder = folder or (last and ends_as_folder)
            pending += parts
        raise fault(errno.ENAMETOOLONG)
    finally:
        for fd in folders[1:]:
            os.close(fd)


def _parts(path: bytes) -> tuple[list[bytes], bool]:
    """Return a path's names, the last one first, and whether it ends as only a folder's does."""
    if path.startswith(b"/"):
        raise fault(errno.EPERM)
    if not path:
        raise fault(errno.ENOENT)
    if b"\0" in path:
        raise fault(errno.EINVAL)
    if len(path) > MAX_PATH_BYTES:
        raise fault(errno.ENAMETOOLONG)
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path.rstrip(b"/").endswith(b"/.") or not parts:
        parts.append(b".")  # of the folder at the path's end, and so that there is a last name
    return parts[::-1], path.endswith(b"/")


def _enter(folders: list[int], name: bytes) -> bytes | None:
    """Open a folder that is in the last one, and put it last; return where the name leads instead if it is a link."""
    if len(folders) > MAX_DEPTH:
        raise fault(errno.ENAMETOOLONG)
    try:
        folders.append(os.open(name, _STEP, dir_fd=folders[-1]))
    except OSError as error:
        target = _link(folders[-1], name) if error.errno in (errno.ENOTDIR, errno.ELOOP) else None
        if target is None:
            raise
        return target
    return None


def _link(fd: int, name: bytes) -> bytes | None:
    """Return what a link says, nothing for what is no link or not there."""
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
