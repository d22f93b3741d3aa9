"""Objects in memory on their way in and out: in pieces, so that nothing large is ever copied as a whole."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from qwasr_blobstore.limits import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_blobstore.memory import Memory

__all__ = ["Bytes", "MemoryReader", "MemoryWriter"]

_SMALL_BYTES: Final = 16 * 1024  # smaller pieces are put together: each costs a hundred bytes of its own


class Bytes:
    """An object's bytes.

    Args:
        pieces: one after another, none empty.
    """

    __slots__ = ("_ends", "_pieces")

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = tuple(pieces)
        self._ends: list[int] = []
        end = 0
        for piece in self._pieces:
            end += len(piece)
            self._ends.append(end)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)

    def piece(self, at: int, limit: int) -> bytes:
        """Return at least one of the bytes from a place on, at most `limit`; none at the end."""
        number = bisect_right(self._ends, at)
        if number == len(self._pieces):
            return b""
        piece = self._pieces[number]
        begin = at - (self._ends[number] - len(piece))
        return piece[begin : begin + min(limit, PIECE_BYTES)]


class MemoryReader:
    """Bytes, or a range of them, on their way out."""

    def __init__(self, data: Bytes, start: int, size: int) -> None:
        self.size = size
        self._data = data
        self._at = start
        self._end = start + size

    async def read(self) -> bytes:
        """Return the next piece."""
        if self._at >= self._end:
            return b""
        piece = self._data.piece(self._at, self._end - self._at)
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Let the bytes go."""
        self._data = Bytes(())
        self._at = self._end


class MemoryWriter:
    """Bytes on their way in."""

    def __init__(self, store: Memory, container: str, name: str) -> None:
        self._store = store
        self._container = container
        self._name = name
        self._size = 0
        self._pieces: list[bytes] = []
        self._small = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next piece."""
        self._store.reserve(len(data))
        self._size += len(data)
        if len(data) < _SMALL_BYTES:
            self._small += data
        else:
            self._gather()
            self._pieces.append(bytes(data))
        if len(self._small) >= _SMALL_BYTES:
            self._gather()

    async def commit(self) -> None:
        """Make the object visible."""
        self._gather()
        self._store.put(self._container, self._name, Bytes(self._pieces))
        self._size = 0

    def abort(self) -> None:
        """Give the room back."""
        self._store.release(self._size)
        self._size, self._pieces, self._small = 0, [], bytearray()

    def _gather(self) -> None:
        if self._small:
            self._pieces.append(bytes(self._small))
            self._small = bytearray()
