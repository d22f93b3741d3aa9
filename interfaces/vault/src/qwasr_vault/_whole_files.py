"""Files that are read and written whole, and a lock between processes. Everything here blocks.

An `OSError` becomes what a guest may be told: `AccessDenied` where this user has no right, `Unavailable` otherwise.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from qwasr_vault.errors import AccessDenied, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["locked", "read_whole", "replace_whole"]

_MODE: Final = 0o600
_LOOK_AGAIN_S: Final = 0.001
_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def read_whole(path: Path, max_bytes: int) -> bytes | None:
    """Return what is in a file, `None` when there is none.

    Raises:
        AccessDenied: this user may not read it.
        Unavailable: it is no file, is larger than the bound, or cannot be read.
    """
    try:
        # Not blocking, or opening a pipe would wait for whoever writes to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal(error, "read") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unavailable("the vault is unavailable: in the place of its file is something that is no file")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise _refusal(error, "read") from None
    finally:
        os.close(handle)
    if len(data) > max_bytes:
        raise Unavailable(f"the vault is unavailable: a file of it is larger than {max_bytes} bytes")
    return data


def replace_whole(path: Path, data: bytes) -> None:
    """Write a file whole and onto the disk, or leave it as it is. Only who has the lock may call this.

    Raises:
        AccessDenied: this user may not write it.
        Unavailable: it cannot be written.
    """
    # One name, not a random one: what a killed process left behind is written over, so nothing gathers.
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(handle)
            new.replace(path)
        except BaseException:
            with suppress(OSError):  # the first failure is the one to tell of
                new.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _refusal(error, "written") from None


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Keep other processes out; made of a file that is there for nothing else.

    Args:
        path: that file.
        wait_s: how long to wait for a process that has the lock, in seconds.

    Raises:
        AccessDenied: this user may not write there.
        Unavailable: another process kept the lock for so long, or the file cannot be used.
    """
    until_s = time.monotonic() + wait_s
    try:
        handle = _lock(path, until_s)
    except BlockingIOError:
        raise Unavailable("the vault is unavailable: another process writes, and does not come to an end") from None
    except OSError as error:
        raise _refusal(error, "locked") from None
    try:
        yield
    finally:
        os.close(handle)


def _lock(path: Path, until_s: float) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY, _MODE)
        try:
            _wait(handle, until_s)
            with suppress(FileNotFoundError):  # someone tidied: the lock of a deleted file keeps nobody out
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _wait(handle: int, until_s: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _refusal(error: OSError, what: str) -> AccessDenied | Unavailable:
    if error.errno in _REFUSED:
        return AccessDenied(f"a file of the vault cannot be {what}: {error.strerror}")
    return Unavailable(f"the vault is unavailable: a file of it cannot be {what}: {error.strerror}")
