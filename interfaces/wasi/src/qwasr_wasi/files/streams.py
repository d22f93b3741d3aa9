"""A file's bytes as source and sink of a stream.

Both read and write where they are, not where the file's descriptor is, so any number of streams work on one file.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from qwasr_wasi.bytestreams import BufferedSink, PullSource
from qwasr_wasi.ends import MAX_PIECE_BYTES, StreamClosed, StreamFailed
from qwasr_wasi.files.codes import failed
from qwasr_wasi.files.operations import MAX_OFFSET, append, write_at
from qwasr_wasi.files.places import owner_now

if TYPE_CHECKING:
    from qwasr_wasi.files.mounts import Mount
    from qwasr_wasi.files.threads import Handle

__all__ = ["FileSink", "FileSource"]

_logger: Final = logging.getLogger("qwasr.files")


class FileSource(PullSource):
    """A source of a file's bytes, read up to 64 KiB ahead.

    What was read ahead is forgotten when a guest of this process has written to the file since.

    Args:
        mount: where the file is.
        handle: the file, which the source holds until it is closed.
        offset: where to begin, bytes.

    Raises:
        OSError: `EMFILE`, the guest has as much open as it may.
    """

    __slots__ = ("_handle", "_mount", "_owner", "_position", "_version")

    def __init__(self, mount: Mount, handle: Handle, offset: int) -> None:
        super().__init__(self._read)
        self._owner = owner_now()
        mount.mounts.places.take(self._owner)
        self._mount = mount
        self._handle = handle.hold()
        self._position = offset
        self._version = handle.entry.version if handle.entry is not None else 0

    def ready(self) -> bool:
        """Say whether a piece, the end or a failure is there that still holds; if not, see to it that one is read."""
        entry = self._handle.entry
        if entry is not None and entry.version != self._version:
            self._version = entry.version
            self._position -= len(self._data) - self._offset
            self._data, self._offset = b"", 0
            if self._end is not None and not isinstance(self._end, StreamFailed):
                self._end = None  # it may be longer now
        return super().ready()

    def close(self) -> None:
        """Stop reading, and let go of the file."""
        super().close()
        self._handle.release()
        self._mount.mounts.places.give_back(self._owner)

    async def _read(self) -> bytes:
        handle = self._handle
        if self._position > MAX_OFFSET - MAX_PIECE_BYTES:
            return b""  # no file is that long
        version = handle.entry.version if handle.entry is not None else 0
        try:
            piece = await self._mount.mounts.threads.run(
                os.pread, handle.fd, MAX_PIECE_BYTES, self._position, holding=(handle,)
            )
        except OSError as error:
            raise failed(error) from error
        self._version = version  # that before: what was written meanwhile makes the piece an old one
        self._position += len(piece)
        return piece


class FileSink(BufferedSink):
    """A sink that writes to a file.

    Args:
        mount: where the file is.
        handle: the file, which the sink holds until it is closed and all is written.
        offset: where to begin, bytes; ``None`` to write at the end, wherever that is then.

    Raises:
        OSError: `EMFILE`, the guest has as much open as it may.
    """

    __slots__ = ("_handle", "_mount", "_owner", "_position")

    def __init__(self, mount: Mount, handle: Handle, offset: int | None) -> None:
        super().__init__(self._write)
        self._owner = owner_now()
        mount.mounts.places.take(self._owner)
        self._mount = mount
        self._handle = handle.hold()
        self._position = offset

    def close(self) -> None:
        """Take no more, write what has gathered, then let go of the file."""
        super().close()
        self._mount.mounts.unsettled.add(self)
        self.watch(self._settled)

    def _settled(self) -> None:
        unsettled = self._mount.mounts.unsettled
        if self not in unsettled:
            return
        unsettled.remove(self)
        self._handle.release()
        self._mount.mounts.places.give_back(self._owner)
        if isinstance(self._end, StreamFailed):
            _logger.warning("what a guest wrote and did not flush is lost: %s", self._end.error.message)

    async def _write(self, data: bytes) -> None:
        run, handle = self._mount.mounts.threads.run, self._handle
        rest = memoryview(data)
        while rest:
            try:
                if self._position is None:
                    count = await run(append, self._mount, handle, rest, holding=(handle,))
                else:
                    count = await run(write_at, self._mount, handle, rest, self._position, holding=(handle,))
                    self._position += count
            except OSError as error:
                raise failed(error) from error
            if not count:
                raise StreamClosed
            rest = rest[count:]
