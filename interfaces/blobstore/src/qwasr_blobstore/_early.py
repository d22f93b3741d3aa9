"""What a guest writes into a value before it says which object that is."""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO, TYPE_CHECKING, Final

from qwasr_blobstore._disk import disk_errors
from qwasr_blobstore.errors import OutOfSpace
from qwasr_blobstore.limits import MAX_WAITING_BYTES, PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Early", "Waiting"]

_IN_MEMORY_BYTES: Final = 1024 * 1024


class Waiting:
    """How many bytes of a process wait for their object.

    Args:
        limit_bytes: how many may.
    """

    def __init__(self, limit_bytes: int = MAX_WAITING_BYTES) -> None:
        self.used_bytes = 0
        self._limit_bytes = limit_bytes

    def take(self, size: int) -> None:
        """Take room.

        Raises:
            OutOfSpace: there is none.
        """
        if self.used_bytes + size > self._limit_bytes:
            raise OutOfSpace(f"{self._limit_bytes} bytes wait for write-data already, the most that may")
        self.used_bytes += size

    def give_back(self, size: int) -> None:
        """Give room back."""
        self.used_bytes -= size


class Early:
    """Bytes that wait for their object: a mebibyte in memory, more in a file without a name.

    Args:
        waiting: what counts them.
    """

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._size = 0
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None

    async def write(self, data: bytes) -> None:
        """Keep the next piece.

        Raises:
            OutOfSpace: too many bytes wait.
            BlobstoreError: the disk does not take them.
        """
        self._waiting.take(len(data))
        self._size += len(data)
        if self._size <= _IN_MEMORY_BYTES:
            self._pieces.append(data)
            return
        with disk_errors():
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed in `close`
                data, self._pieces = b"".join([*self._pieces, data]), []
            await asyncio.to_thread(_write_all, self._file, data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield all of it."""
        for piece in self._pieces:
            yield piece
        if self._file is not None:
            self._file.seek(0)
            while piece := await asyncio.to_thread(self._file.read, PIECE_BYTES):
                yield piece

    def close(self) -> None:
        """Forget all of it. Idempotent."""
        self._waiting.give_back(self._size)
        self._size, self._pieces = 0, []
        if self._file is not None:
            self._file.close()


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
