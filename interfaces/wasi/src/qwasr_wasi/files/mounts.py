"""Which folders of the host guests are given, under which names, and whether they may change them.

A mount is written ``host:guest[:rw]``: the host's folder, the guest's absolute path, and ``rw`` if guests may write.
Several are separated by commas; the host's folder may contain colons, and no comma.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr.errors import ConfigurationError, OptionError
from qwasr_wasi.files.ledger import Ledger
from qwasr_wasi.files.places import Places
from qwasr_wasi.files.threads import FileThreads, Handle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwasr_wasi.files.streams import FileSink

__all__ = ["MAX_MOUNTS", "Mount", "MountSpec", "Mounts", "parse_mounts"]

MAX_MOUNTS: Final = 64
_MAX_GUEST_PATH: Final = 1024  # characters
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class MountSpec:
    """One mount as it was written.

    Attributes:
        host: the host's folder.
        guest: what guests call it, an absolute path.
        writable: whether guests may change it.
    """

    host: Path
    guest: str
    writable: bool


def parse_mounts(texts: Sequence[str]) -> tuple[MountSpec, ...]:
    """Return mounts as they were meant.

    Raises:
        OptionError: one is not ``host:guest[:rw]``, two have one name, or there are more than 64.
    """
    if len(texts) > MAX_MOUNTS:
        raise OptionError(f"QWASR_MOUNTS: {len(texts)} mounts; {MAX_MOUNTS} are the most")
    mounts = tuple(_parse(text) for text in texts)
    names = [mount.guest for mount in mounts]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"QWASR_MOUNTS: two mounts are called {name!r} in the guest; give one another name")
    return mounts


def _parse(text: str) -> MountSpec:
    rest, separator, last = text.rpartition(":")
    writable = last == "rw"
    if last in ("rw", "ro"):
        rest, separator, last = rest.rpartition(":")
    if not separator or not rest or not last.startswith("/"):
        message = (
            f"QWASR_MOUNTS: {text!r} is not host:guest[:rw]; write the host's folder, a colon and the guest's absolute "
            "path, for example ./data:/data, and :rw behind it if guests may change it"
        )
        raise OptionError(message)
    if len(last) > _MAX_GUEST_PATH or not last.isprintable():
        raise OptionError(f"QWASR_MOUNTS: the guest's path of {rest!r} is too long or not printable")
    guest = "/" + posixpath.normpath(last).lstrip("/")
    if guest != "/" + last.strip("/"):
        raise OptionError(f"QWASR_MOUNTS: the guest's path {last!r} is written {guest!r}")
    return MountSpec(Path(rest), guest, writable)


class Mount:
    """One mounted folder.

    Attributes:
        guest: what guests call it.
        writable: whether guests may change it.
        root: the open folder.
        ledger: what is in it.
        mounts: all of them, with the threads that work on them.
    """

    __slots__ = ("guest", "ledger", "mounts", "root", "writable")

    def __init__(self, mounts: Mounts, spec: MountSpec, root: Handle, max_bytes: int | None) -> None:
        self.mounts = mounts
        self.guest = spec.guest
        self.writable = spec.writable
        self.root = root
        self.ledger = Ledger(root.fd, max_bytes if spec.writable else None)


class Mounts:
    """All mounted folders of one machine, in the order in which they were written.

    Args:
        specs: which.
        max_bytes: how much each one that is writable may hold; ``None`` when that is not limited.
        max_open: how many files, folders and streams all guests together may have open.
        max_open_each: how many one of them.
        threads: how many operations run at once.

    Raises:
        ConfigurationError: a folder is not there, or is not a folder, or may not be read or written.
    """

    def __init__(
        self, specs: Sequence[MountSpec], *, max_bytes: int | None, max_open: int, max_open_each: int, threads: int
    ) -> None:
        self.places = Places(max_open, max_open_each)
        self.threads = FileThreads(threads, self.places)
        self.unsettled: set[FileSink] = set()  # let go by their guests, with bytes still on their way
        self._mounts: list[Mount] = []
        try:
            for spec in specs:
                self._mounts.append(Mount(self, spec, self._opened(spec), max_bytes))
        except BaseException:
            for mount in self._mounts:
                os.close(mount.root.fd)
            raise

    def __iter__(self) -> Iterator[Mount]:
        return iter(self._mounts)

    async def close(self) -> None:
        """Write what guests left to be written, and close everything."""
        if not self._mounts:
            return
        while self.unsettled:
            await next(iter(self.unsettled)).wait()
        for mount in self._mounts:
            mount.root.release()
        self._mounts.clear()
        await self.threads.close()

    def _opened(self, spec: MountSpec) -> Handle:
        try:
            fd = os.open(spec.host, _FOLDER)
        except OSError as error:
            message = (
                f"QWASR_MOUNTS: {str(spec.host)!r} cannot be mounted: {error.strerror}; make the folder, or unset it"
            )
            raise ConfigurationError(message) from None
        if spec.writable and not os.access(spec.host, os.W_OK | os.X_OK):
            os.close(fd)
            raise ConfigurationError(
                f"QWASR_MOUNTS: this process may not write to {str(spec.host)!r}; mount it without rw"
            )
        return Handle(self.threads, fd, os.fstat(fd))
