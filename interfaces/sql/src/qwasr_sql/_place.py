"""Which file lies at a database's path: the one that was opened, or another one that took its place.

SQLite goes on with the file that it opened, wherever that was moved. What is written then is lost to everybody who
looks at the path, so each statement asks first, and asks again before anybody is told that it is done.
"""

from __future__ import annotations

from pathlib import Path

from qwasr_sql.errors import Unavailable

__all__ = ["Moved", "Place"]

Identity = tuple[int, int]


class Moved(Unavailable):
    """What lies at the path is not the file that was opened."""


class Place:
    """A path, and the file that was opened there.

    Args:
        path: where it lies; the file is open already, and its log lies beside it.

    Raises:
        Moved: it is not there any more.
    """

    __slots__ = ("_file", "_log", "_path", "_shared")

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._log = Path(f"{path}-wal")
        self._shared = Path(f"{path}-shm")
        self._file = self._found(), _identity(self._log)

    def check(self) -> None:
        """Raise `Moved` when the file is not the one that lies at the path."""
        if self._found() != self._file[0]:
            raise Moved("its file was replaced by another one: the database is unavailable until that is opened")

    def clear(self) -> None:
        """Take away the log of a file that was moved, for SQLite would take it for a part of the next one.

        All connections of ours are closed, and what the log held is in the file that was moved.

        Raises:
            Unavailable: another process has not put it there yet.
        """
        log = _identity(self._log)
        if log is None or log != self._file[1]:
            return  # there is none, or another process has opened the next file already
        if self._log.stat().st_size:
            raise Unavailable("another process uses the file that was replaced: the database is unavailable")
        self._log.unlink(missing_ok=True)
        self._shared.unlink(missing_ok=True)

    def _found(self) -> Identity:
        try:
            found = self._path.stat()
        except OSError as error:
            raise Moved(f"its file cannot be found, so the database is unavailable: {error.strerror}") from None
        return found.st_dev, found.st_ino


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
