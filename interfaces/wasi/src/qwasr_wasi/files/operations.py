"""What functions of descriptors do, each a function that blocks; they run in threads.

All take a path apart with `beneath` first and then name one thing in an open folder, without following a link.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Any, Final

from qwasr_wasi.files.beneath import Place, beneath, fault
from qwasr_wasi.files.threads import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.values import Variant
    from qwasr_wasi.files.mounts import Mount

__all__ = [
    "MAX_OFFSET",
    "advise",
    "append",
    "follows",
    "link",
    "make_folder",
    "read_link",
    "remove",
    "rename",
    "resize",
    "set_times",
    "set_times_at",
    "status_at",
    "symlink",
    "write_at",
]

MAX_OFFSET: Final = 2**63 - 1
"""The largest offset and size that the operating system takes, bytes."""

_NS: Final = 1_000_000_000
_APPEND: Final = getattr(os, "RWF_APPEND", None)
_ADVICE: Final = {
    advice: getattr(os, "POSIX_FADV_" + advice.replace("-", "").upper(), 0)
    for advice in ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse")
}


def write_at(mount: Mount, handle: Handle, data: bytes | memoryview, offset: int) -> int:
    """Write bytes at an offset; return how many were written."""
    if offset + len(data) > MAX_OFFSET:
        raise fault(errno.EFBIG)
    with mount.ledger.resizing(handle.fd, offset + len(data)):
        return _changed(handle, os.pwrite(handle.fd, data, offset))


def append(mount: Mount, handle: Handle, data: bytes | memoryview) -> int:
    """Write bytes at the file's end; return how many were written."""
    with mount.ledger.resizing(handle.fd, None, len(data)):
        if _APPEND is not None:
            return _changed(handle, os.pwritev(handle.fd, [data], 0, _APPEND))
        return _changed(handle, os.pwrite(handle.fd, data, os.fstat(handle.fd).st_size))


def resize(mount: Mount, handle: Handle, size: int) -> None:
    """Make a file shorter, or longer by zeroes."""
    if size > MAX_OFFSET:
        raise fault(errno.EFBIG)
    with mount.ledger.resizing(handle.fd, size):
        os.ftruncate(handle.fd, size)
        _changed(handle, 0)


def _changed(handle: Handle, count: int) -> int:
    if handle.entry is not None:
        handle.entry.version += 1
    return count


def advise(fd: int, offset: int, length: int, advice: str) -> None:
    """Tell the operating system how a file will be read, where it takes advice."""
    if offset > MAX_OFFSET or length > MAX_OFFSET:
        raise fault(errno.EINVAL)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, offset, length, _ADVICE[advice])


def status_at(base: int, path: str, *, follow: bool) -> os.stat_result:
    """Return what is known of a file or folder."""
    with beneath(base, path, follow=follows(path, follow=follow)) as place:
        return _status(place)


def _status(place: Place) -> os.stat_result:
    status = os.lstat(place.name, dir_fd=place.fd)
    if place.folder and not stat.S_ISDIR(status.st_mode):
        raise fault(errno.ENOTDIR)
    return status


def set_times(fd: int, accessed: Variant, modified: Variant) -> None:
    """Set the times of an open file or folder."""
    _set_times(lambda: os.fstat(fd), lambda **times: os.utime(fd, **times), accessed, modified)


def set_times_at(base: int, path: str, accessed: Variant, modified: Variant, *, follow: bool) -> None:
    """Set the times of a file or folder, or of a link where it is not followed."""
    with beneath(base, path, follow=follows(path, follow=follow)) as place:
        _set_times(
            lambda: _status(place),
            lambda **times: os.utime(place.name, dir_fd=place.fd, follow_symlinks=False, **times),
            accessed,
            modified,
        )


def _set_times(
    status: Callable[[], os.stat_result], set_them: Callable[..., None], accessed: Variant, modified: Variant
) -> None:
    before = status()
    if accessed.case == modified.case == "now":
        set_them(times=None)  # the only one that needs no more than the right to write
    elif accessed.case != "no-change" or modified.case != "no-change":
        try:
            set_them(ns=(_ns(accessed, before.st_atime_ns), _ns(modified, before.st_mtime_ns)))
        except OverflowError:
            raise fault(errno.EOVERFLOW) from None


def _ns(time_: Variant, before: int) -> int:
    if time_.case == "no-change":
        return before
    if time_.case == "now":
        return time.time_ns()
    moment: Any = time_.value
    if moment.nanoseconds >= _NS:
        raise fault(errno.EINVAL)
    return int(moment.seconds * _NS + moment.nanoseconds)


def make_folder(mount: Mount, base: int, path: str) -> None:
    """Make a folder."""
    with beneath(base, path, follow=False) as place, mount.ledger.naming():
        os.mkdir(place.name, 0o777, dir_fd=place.fd)


def remove(mount: Mount, base: int, path: str, *, folder: bool) -> None:
    """Delete a file's or link's name, or an empty folder."""
    with beneath(base, path, follow=False) as place:
        if stat.S_ISDIR(_status(place).st_mode) and not folder:
            raise fault(errno.EISDIR)  # which some systems call EPERM
        with mount.ledger.unnaming(place.fd, place.name):
            (os.rmdir if folder else os.unlink)(place.name, dir_fd=place.fd)


def rename(mount: Mount, base: int, path: str, new_base: int, new_path: str) -> None:
    """Give a file, folder or link another name, which may be that of another file."""
    with beneath(base, path, follow=False) as old, beneath(new_base, new_path, follow=False) as new:
        if b"." in (old.name, new.name):
            raise fault(errno.EBUSY)
        if (old.folder or new.folder) and not stat.S_ISDIR(os.lstat(old.name, dir_fd=old.fd).st_mode):
            raise fault(errno.ENOTDIR)
        with mount.ledger.renaming(old.fd, old.name, new.fd, new.name):
            os.rename(old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd)


def link(mount: Mount, base: int, path: str, new_base: int, new_path: str, *, follow: bool) -> None:
    """Give a file one name more."""
    follow = follows(path, follow=follow)
    with beneath(base, path, follow=follow) as old:
        _status(old)  # what is wrong with the old path is said first
        with beneath(new_base, new_path, follow=False) as new:
            _refuse_slash(new)
            with mount.ledger.naming():
                os.link(old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=False)


def symlink(mount: Mount, target: str, base: int, path: str) -> None:
    """Make a link; what it says may lead anywhere, and is looked at when it is followed."""
    if target.startswith("/"):
        raise fault(errno.EPERM)
    if "\0" in target:
        raise fault(errno.EINVAL)
    with beneath(base, path, follow=False) as place:
        _refuse_slash(place)
        with mount.ledger.naming():
            os.symlink(target.encode(), place.name, dir_fd=place.fd)


def read_link(base: int, path: str) -> str:
    """Return what a link says."""
    with beneath(base, path, follow=False) as place:
        if place.folder:
            raise fault(errno.EINVAL)
        target = os.readlink(place.name, dir_fd=place.fd)
    if target.startswith(b"/"):
        raise fault(errno.EPERM)  # it is the host's business where in the host it leads
    try:
        return target.decode()
    except UnicodeDecodeError:
        raise fault(errno.EILSEQ) from None


def follows(path: str, *, follow: bool) -> bool:
    """Return whether a link at a path's end counts for what it leads to: a slash behind it asks for that, too."""
    return follow or path.endswith("/")


def _refuse_slash(place: Place) -> None:
    if place.folder:
        raise fault(errno.ENOENT)
