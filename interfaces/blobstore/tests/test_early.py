"""What a guest writes before it says where to: bounded, and in a file when it is much."""

from __future__ import annotations

import pytest

from qwasr_blobstore import Memory, OutOfSpace
from qwasr_blobstore._early import Early, Waiting
from qwasr_blobstore.compliance._stored import pattern


async def collected(early: Early) -> bytes:
    return b"".join([piece async for piece in early.pieces()])


@pytest.mark.parametrize("size", [0, 1, 1_048_576, 1_048_577, 3_000_000])
async def test_bytes_come_out_as_they_went_in(size: int) -> None:
    early = Early(Waiting())
    data = pattern(size)
    for at in range(0, size, 65_536):
        await early.write(data[at : at + 65_536])
    assert await collected(early) == data
    assert (early._file is not None) == (size > 1_048_576)
    early.close()


async def test_what_waits_is_bounded_and_given_back() -> None:
    waiting = Waiting(limit_bytes=100)
    one, other = Early(waiting), Early(waiting)
    await one.write(bytes(60))
    with pytest.raises(OutOfSpace, match="write-data"):
        await other.write(bytes(50))
    one.close()
    one.close()
    await other.write(bytes(50))
    other.close()
    assert waiting.used_bytes == 0


async def test_all_values_of_a_runtime_share_one_bound() -> None:
    from qwasr_blobstore.values import Types

    class Backends:
        default = Memory()

        def named(self, _name: str, *, claim: bool = True) -> Memory:
            return self.default

        def each(self) -> list[Memory]:
            return [self.default]

    types = Types(Backends())
    first, second = types.outgoing_value_new_outgoing_value(), types.outgoing_value_new_outgoing_value()
    for value in (first, second):
        stream = value.outgoing_value_write_body()
        stream.write(bytes(1000))
        await value._sink.finish()
    assert types.waiting.used_bytes == 2000
    first.drop()
    second.drop()
    assert types.waiting.used_bytes == 0
