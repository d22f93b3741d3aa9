"""The memory that SQLite may take of this process: the sum of what its open databases are allowed.

SQLite knows only a bound for the whole process. Above it a statement fails, and everything else goes on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import apsw

if TYPE_CHECKING:
    from qwasr_sql.sqlite import SqliteOptions

__all__ = ["Share"]

_CONNECTION_BYTES: Final = 4 * 1024**2  # SQLite keeps 2 MB of pages for each, and what it knows of the schema
_lock: Final = threading.Lock()
_reserved_bytes = 0


class Share:
    """What one database may take, from when it is opened until it is closed.

    Args:
        options: how it is opened.
        in_memory: whether all of it is kept in memory.
    """

    def __init__(self, options: SqliteOptions, *, in_memory: bool) -> None:
        connections = 1 if in_memory else 1 + options.readers
        self._bytes = options.work_bytes + connections * _CONNECTION_BYTES
        if in_memory:
            self._bytes += options.memory_bytes
        _reserve(self._bytes)

    def give_back(self) -> None:
        """Let others have it no more; once or several times."""
        _reserve(-self._bytes)
        self._bytes = 0


def _reserve(size_bytes: int) -> None:
    global _reserved_bytes  # noqa: PLW0603 - SQLite's own bound is one for the process, too
    with _lock:
        _reserved_bytes += size_bytes
        apsw.hard_heap_limit(_reserved_bytes)  # 0 is none: then nothing is open
        apsw.soft_heap_limit(_reserved_bytes)
