"""Objects of a folder on their way in and out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qwasr_blobstore._disk import disk_errors
from qwasr_blobstore.errors import Unavailable
from qwasr_blobstore.limits import PIECE_BYTES

if TYPE_CHECKING:
    from qwasr_blobstore._disk import Threads
    from qwasr_blobstore._drafts import Draft
    from qwasr_blobstore._folder_files import Files
    from qwasr_blobstore._open_files import OpenFile

__all__ = ["FolderReader", "FolderWriter"]


class FolderReader:
    """A file, or a range of it, on its way out.

    Args:
        threads: who reads.
        file: the open file, which is the reader's from now on.
        start: where the range begins.
        size: how many bytes it has.
    """

    def __init__(self, threads: Threads, file: OpenFile, start: int, size: int) -> None:
        self.size = size
        self._threads = threads
        self._file = file
        self._at = start
        self._end = start + size

    async def read(self) -> bytes:
        """Return the next piece."""
        if self._at >= self._end:
            return b""
        piece = await self._threads.run(self._next)
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Close the file, now or when the piece that is being read is there."""
        self._file.close()

    def _next(self) -> bytes:
        with self._file.use() as descriptor, disk_errors():
            piece = os.pread(descriptor, min(PIECE_BYTES, self._end - self._at), self._at)
        if not piece:
            raise Unavailable("the object is unavailable: its file ended before its end")
        return piece


class FolderWriter:
    """A file on its way in.

    Args:
        files: the folder.
        threads: who writes.
        draft: the file.
    """

    def __init__(self, files: Files, threads: Threads, draft: Draft) -> None:
        self._files = files
        self._threads = threads
        self._draft = draft

    async def write(self, data: bytes) -> None:
        """Take the next piece."""
        await self._threads.run(self._draft.append, data)

    async def commit(self) -> None:
        """Make the object visible."""
        await self._threads.run(self._files.commit, self._draft)
        self._draft.close()

    def abort(self) -> None:
        """Forget the file."""
        self._threads.later(self._draft.discard)
