"""What a guest writes into a value before it says which object that is."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Final

from qwasr_blobstore._disk import Threads, disk_errors
from qwasr_blobstore._open_files import OpenFile, OpenFiles, owner_now
from qwasr_blobstore.errors import OutOfSpace
from qwasr_blobstore.limits import MAX_WAITING_BYTES, MAX_WAITING_MEMORY_BYTES, PIECE_BYTES
from qwasr_wasi.sockets.settings import open_files_limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Early", "SharedMemory", "Waiting"]

_IN_MEMORY_BYTES: Final = 1024 * 1024  # of one value
_FILES_SHARE: Final = 16  # of the files that the process may open these are one part
_CALL_SHARE: Final = 4  # and one call's are one part of these
_TOO_MANY_FILES: Final = "too many values wait for write-data in files already: call it before the bytes are written"


class SharedMemory:
    """How much memory the values of a process take that guests are writing.

    Args:
        limit_bytes: how much they may.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.used_bytes = 0
        self._limit_bytes = limit_bytes

    def take(self, size: int) -> bool:
        """Take some if there is enough; return whether there was."""
        if self.used_bytes + size > self._limit_bytes:
            return False
        self.used_bytes += size
        return True

    def give_back(self, size: int) -> None:
        """Give some back."""
        self.used_bytes -= size


class Waiting:
    """What the values of a process take that wait for their object.

    Args:
        limit_bytes: how many bytes may wait.
        memory_bytes: how many of them in memory.
        most_files: in how many files the others may; a share of those that the process may open when not given.
    """

    def __init__(
        self,
        limit_bytes: int = MAX_WAITING_BYTES,
        *,
        memory_bytes: int = MAX_WAITING_MEMORY_BYTES,
        most_files: int | None = None,
    ) -> None:
        most = most_files or max(_CALL_SHARE, open_files_limit() // _FILES_SHARE)
        self.used_bytes = 0
        self.memory = SharedMemory(memory_bytes)
        self.threads = Threads()
        self._limit_bytes = limit_bytes
        self._files = OpenFiles(most, max(1, most // _CALL_SHARE), _TOO_MANY_FILES)

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

    async def new_file(self) -> OpenFile:
        """Return a file without a name.

        Raises:
            BlobstoreError: there are too many, or the disk has none.
        """
        return await self.threads.run(self._made, owner_now(), undo=OpenFile.close)

    def _made(self, owner: str) -> OpenFile:
        with disk_errors():
            return self._files.open(_temporary, owner)


class Early:
    """Bytes that wait for their object: a mebibyte in memory as far as that is to be had, more in a file.

    Args:
        waiting: what counts them.
    """

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._size = 0
        self._in_memory = 0
        self._pieces: list[bytes] = []
        self._file: OpenFile | None = None

    async def write(self, data: bytes) -> None:
        """Keep the next piece.

        Raises:
            OutOfSpace: too many bytes wait.
            BlobstoreError: too many files are open, or the disk does not take them.
        """
        self._waiting.take(len(data))
        self._size += len(data)
        if self._file is None:
            if self._size <= _IN_MEMORY_BYTES and self._waiting.memory.take(len(data)):
                self._in_memory += len(data)
                self._pieces.append(data)
                return
            self._file = await self._waiting.new_file()
            data = b"".join([*self._pieces, data])
        await self._waiting.threads.run(_append, self._file, data)
        self._forget_pieces()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield all of it."""
        for piece in self._pieces:
            yield piece
        if self._file is not None:
            at = 0
            while piece := await self._waiting.threads.run(_piece, self._file, at):
                at += len(piece)
                yield piece

    def close(self) -> None:
        """Forget all of it. Idempotent."""
        self._waiting.give_back(self._size)
        self._size = 0
        self._forget_pieces()
        if self._file is not None:
            self._file.close()

    def _forget_pieces(self) -> None:
        self._waiting.memory.give_back(self._in_memory)
        self._in_memory, self._pieces = 0, []


def _temporary() -> int:
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


def _append(file: OpenFile, data: bytes) -> None:
    with file.use() as descriptor, disk_errors():
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _piece(file: OpenFile, at: int) -> bytes:
    with file.use() as descriptor, disk_errors():
        return os.pread(descriptor, PIECE_BYTES, at)
