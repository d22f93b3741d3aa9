"""The operating system's errors as error codes of the WIT, its metadata as the WIT's records."""

from __future__ import annotations

import errno
import functools
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from qwasr.values import WitError
from qwasr_wasi.clocks import Datetime
from qwasr_wasi.ends import IoError, StreamFailed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterator

__all__ = [
    "KIND",
    "DescriptorStat",
    "HashValue",
    "answering",
    "answers",
    "code_of",
    "failed",
    "kind_of",
    "metadata_hash",
    "stated",
]

KIND: Final = "wasi:filesystem/types"
"""The `kind` of an `IoError` that carries a filesystem error code."""

P = ParamSpec("P")
T = TypeVar("T")

_CODES: Final = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EALREADY: "already",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDEADLK: "deadlock",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINPROGRESS: "in-progress",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EIO: "io",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMFILE: "insufficient-memory",  # the WIT has no word for too many open files
    errno.EMLINK: "too-many-links",
    errno.EMSGSIZE: "message-size",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENFILE: "insufficient-memory",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOLCK: "no-lock",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOSYS: "unsupported",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTRECOVERABLE: "not-recoverable",
    errno.ENOTSUP: "unsupported",
    errno.ENOTTY: "no-tty",
    errno.ENXIO: "no-such-device",
    errno.EOPNOTSUPP: "unsupported",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EPIPE: "pipe",
    errno.EROFS: "read-only",
    errno.ESPIPE: "invalid-seek",
    errno.ETXTBSY: "text-file-busy",
    errno.EXDEV: "cross-device",
}
_KINDS: Final = {
    stat.S_IFBLK: "block-device",
    stat.S_IFCHR: "character-device",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "fifo",
    stat.S_IFLNK: "symbolic-link",
    stat.S_IFREG: "regular-file",
    stat.S_IFSOCK: "socket",
}


def code_of(error: OSError) -> str:
    """Return the error code for an error of the operating system, `io` for one that the WIT has no word for."""
    return _CODES.get(error.errno or 0, "io")


def failed(error: OSError) -> StreamFailed:
    """Return how a stream over a file fails; without the path, which may be the host's."""
    return StreamFailed(IoError(error.strerror or type(error).__name__, kind=KIND, code=code_of(error)))


def answering(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return the coroutine function with the operating system's errors as error codes; a decorator."""

    @functools.wraps(method)
    async def answer(*arguments: P.args, **named: P.kwargs) -> T:
        with answers():
            return await method(*arguments, **named)

    return answer


@contextmanager
def answers() -> Iterator[None]:
    """Let a body raise the operating system's errors as error codes."""
    try:
        yield
    except OSError as error:
        raise WitError(code_of(error)) from error


@dataclass(frozen=True, slots=True)
class DescriptorStat:
    """wasi:filesystem/types.descriptor-stat: what is known of a file or folder.

    A time before 1970 has no place in the WIT and is left out.
    """

    type: str
    link_count: int
    size: int
    data_access_timestamp: Datetime | None
    data_modification_timestamp: Datetime | None
    status_change_timestamp: Datetime | None


@dataclass(frozen=True, slots=True)
class HashValue:
    """wasi:filesystem/types.metadata-hash-value: 128 bits."""

    lower: int
    upper: int


def kind_of(mode: int) -> str:
    """Return the descriptor type for a file's mode."""
    return _KINDS.get(stat.S_IFMT(mode), "unknown")


def stated(status: os.stat_result) -> DescriptorStat:
    """Return metadata as the WIT's record."""
    return DescriptorStat(
        kind_of(status.st_mode),
        status.st_nlink,
        status.st_size,
        _time(status.st_atime_ns),
        _time(status.st_mtime_ns),
        _time(status.st_ctime_ns),
    )


def metadata_hash(status: os.stat_result) -> HashValue:
    """Return a hash of which file it is.

    Time and size have no part in it, though the WIT would allow that: C libraries take it for the inode's number,
    which stays when a file is changed, and is the same in every worker.
    """
    identity = f"{status.st_dev}:{status.st_ino}".encode()
    digest = blake2b(identity, digest_size=16, person=b"qwasr.file").digest()
    return HashValue(int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little"))


def _time(ns: int) -> Datetime | None:
    return Datetime.from_ns(ns) if ns >= 0 else None
