"""Bytes from a reader to a writer, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_blobstore._answers import within

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Container

__all__ = ["carry"]

_END: Final = 2**64 - 1


async def carry(origin: Container, name: str, target: Container, new_name: str) -> None:
    """Copy an object, also from one backend to another; each piece has the time of a call.

    Raises:
        BlobstoreError: whatever reading and writing raise; then the target is as it was.
    """
    reader = await within(origin.read(name, 0, _END))
    try:
        writer = await within(target.write(new_name))
        try:
            while piece := await within(reader.read()):
                await within(writer.write(piece))
            await within(writer.commit())
        except BaseException:
            writer.abort()
            raise
    finally:
        reader.close()
