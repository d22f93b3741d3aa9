"""The embedded backend that lasts: entries in one SQLite file, which several workers and processes may share.

`QWASR_KEYVALUE=sqlite:///path.db` chooses it. Nothing runs but this process: a thread that writes, and threads that
read, each with a connection of its own, so that no disk holds up the event loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from qwasr.errors import BackendError
from qwasr.options import ConnectOptions, env

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qwasr.sqlite import Threads
    from qwasr_keyvalue._sqlite_bucket import SqliteBucket

__all__ = ["Sqlite", "SqliteOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteOptions(ConnectOptions):
    """Where the file is, and what it survives."""

    url: str = env(
        "QWASR_KEYVALUE_SQLITE_URL",
        address=True,
        help="the file: sqlite:///relative.db, or sqlite:////absolute.db; made when it is not there",
    )
    synchronous: Literal["normal", "full"] = env(
        "QWASR_KEYVALUE_SQLITE_SYNCHRONOUS",
        default="normal",
        help="normal: acknowledged writes survive the end of the process; full: the end of the machine too, slower",
    )
    lock_timeout_s: float = env(
        "QWASR_KEYVALUE_SQLITE_LOCK_S",
        default=1.0,
        minimum=0.001,
        maximum=3600,
        help="how long a write waits for another process that writes, seconds",
    )
    max_bytes: int = env(
        "QWASR_KEYVALUE_SQLITE_MAX_BYTES",
        default=16 * 1024**3,
        minimum=1024**2,
        maximum=2**44,
        help="size of the file, bytes; writing above it is an error",
    )

    @property
    def path(self) -> Path:
        """Return the file that the URL names.

        Raises:
            OptionError: it names none.
        """
        from qwasr.sqlite import path_of

        return path_of(self.url, "QWASR_KEYVALUE_SQLITE_URL")


class Sqlite:
    """A key-value store in one SQLite file.

    Args:
        path: the file.
        threads: those that work on it.
        clock: Unix time in seconds; tests pass their own.
    """

    name: ClassVar[str] = "sqlite"
    provides: ClassVar[tuple[str, ...]] = ("keyvalue",)
    schemes: ClassVar[tuple[str, ...]] = ("sqlite",)
    Options: ClassVar[type[ConnectOptions]] = SqliteOptions

    def __init__(self, path: Path, threads: Threads, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._path = path
        self._inode = path.stat().st_ino
        self._threads = threads

    @classmethod
    async def connect(cls, options: SqliteOptions, *, clock: Callable[[], float] = time.time) -> Self:
        """Open the file, or make it.

        Raises:
            BackendError: it cannot be opened, or is something else.
        """
        from qwasr.sqlite import Place, Threads
        from qwasr_keyvalue._sqlite_file import form

        place = Place(
            path=options.path,
            synchronous=options.synchronous,
            lock_timeout_s=options.lock_timeout_s,
            max_bytes=options.max_bytes,
        )
        threads = await asyncio.to_thread(Threads, form(clock), place, asyncio.get_running_loop())
        return cls(place.path, threads, clock=clock)

    async def check(self) -> None:
        """Raise `BackendError` when the file is gone, or cannot be read."""
        from qwasr_keyvalue._sqlite_bucket import probe
        from qwasr_keyvalue.errors import KeyValueError

        try:
            inode = (await asyncio.to_thread(self._path.stat)).st_ino
            await self._threads.read(probe)
        except (OSError, KeyValueError) as error:
            raise BackendError(f"the file of the keyvalue store cannot be read: {_reason(error)}") from None
        if inode != self._inode:
            raise BackendError("the file of the keyvalue store was replaced by another; start again")

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
        await asyncio.to_thread(self._threads.close)

    async def open_bucket(self, identifier: str) -> SqliteBucket:
        """Return the bucket of that name."""
        from qwasr_keyvalue._sqlite_bucket import SqliteBucket

        return SqliteBucket(self._threads, identifier, self.clock)


def _reason(error: Exception) -> str:
    return error.strerror or "no reason given" if isinstance(error, OSError) else str(error)
