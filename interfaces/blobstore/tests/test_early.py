"""What a guest writes before it says where to: bounded, and in files when it is much."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from typing import Any

import pytest

from interfaces.blobstore.tests.folders import open_files
from qwasr_blobstore import BlobstoreError, Memory, OutOfSpace
from qwasr_blobstore._early import Early, Waiting
from qwasr_blobstore.compliance._stored import pattern
from qwasr_blobstore.values import OutgoingValue, Types

MIB = 1024 * 1024


class Backends:
    default = Memory()

    def named(self, _name: str, *, claim: bool = True) -> Memory:
        return self.default

    def each(self) -> list[Memory]:
        return [self.default]


@pytest.fixture
def files_are_made_in(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the threads that made temporary files."""
    names: set[str] = set()
    make = tempfile.TemporaryFile

    def made(*arguments: Any, **named: Any) -> Any:
        names.add(threading.current_thread().name)
        return make(*arguments, **named)

    monkeypatch.setattr(tempfile, "TemporaryFile", made)
    return names


async def collected(early: Early) -> bytes:
    return b"".join([piece async for piece in early.pieces()])


@pytest.mark.parametrize("size", [0, 1, 1_048_576, 1_048_577, 3_000_000])
async def test_bytes_come_out_as_they_went_in(size: int) -> None:
    waiting = Waiting()
    early = Early(waiting)
    data = pattern(size)
    for at in range(0, size, 65_536):
        await early.write(data[at : at + 65_536])
    assert await collected(early) == data
    assert waiting.memory.used_bytes == (size if size <= MIB else 0)
    early.close()
    assert waiting.memory.used_bytes == 0


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


async def test_values_beyond_the_shared_memory_wait_in_files() -> None:
    waiting = Waiting(memory_bytes=100_000)
    values = [Early(waiting) for _ in range(8)]
    for number, value in enumerate(values):
        await value.write(pattern(30_000, seed=number))
        assert waiting.memory.used_bytes <= 100_000
    for number, value in enumerate(values):
        assert await collected(value) == pattern(30_000, seed=number)
        value.close()
    assert waiting.memory.used_bytes == 0


async def test_files_of_waiting_values_are_bounded() -> None:
    waiting = Waiting(memory_bytes=0, most_files=2)
    values = [Early(waiting) for _ in range(3)]
    for value in values[:2]:
        await value.write(b"value")
    with pytest.raises(BlobstoreError, match="write-data"):
        await values[2].write(b"value")
    values[0].close()
    values[2].close()
    again = Early(waiting)
    await again.write(b"value")
    assert await collected(again) == b"value"
    again.close()
    values[1].close()


async def test_the_event_loop_makes_no_file(files_are_made_in: set[str]) -> None:
    early = Early(Waiting(memory_bytes=0))
    await early.write(b"value")
    early.close()
    assert files_are_made_in
    assert threading.current_thread().name not in files_are_made_in


async def test_a_file_whose_write_was_cancelled_is_closed_when_its_thread_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qwasr_blobstore import _early

    begun, go_on = threading.Event(), threading.Event()
    open_before = open_files()

    def slow(data: bytes) -> memoryview:
        begun.set()
        go_on.wait(30)
        return memoryview(data)

    monkeypatch.setattr(_early, "memoryview", slow, raising=False)  # is made where the file is in use
    early = Early(Waiting(memory_bytes=0))
    writing = asyncio.create_task(early.write(b"value"))
    await asyncio.to_thread(begun.wait, 30)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    early.close()
    assert open_files() == open_before + 1, "a file is closed that a thread writes to"
    go_on.set()
    for _ in range(1000):
        if open_files() == open_before:
            break
        await asyncio.sleep(0.01)
    assert open_files() == open_before


async def written(value: OutgoingValue, size: int) -> None:
    stream = value.outgoing_value_write_body()
    stream.write(bytes(size))
    await value._sink.finish()


async def test_all_values_of_a_runtime_share_one_bound() -> None:
    types = Types(Backends())
    values = [types.outgoing_value_new_outgoing_value() for _ in range(2)]
    for value in values:
        await written(value, 1000)
    assert types.waiting.used_bytes == 2000
    for value in values:
        value.drop()
    assert types.waiting.used_bytes == 0


async def test_bytes_that_gather_count_as_memory_until_they_are_sent() -> None:
    types = Types(Backends())
    value = types.outgoing_value_new_outgoing_value()
    value.outgoing_value_write_body().write(bytes(1000))
    assert types.waiting.memory.used_bytes == 1000
    await value._sink.finish()
    assert types.waiting.memory.used_bytes == 1000, "they wait for their object now"
    value.drop()
    assert types.waiting.memory.used_bytes == 0


async def test_nothing_gathers_where_the_shared_memory_is_used_up() -> None:
    waiting = Waiting(memory_bytes=1000)
    values = [OutgoingValue(waiting) for _ in range(3)]
    streams = [value.outgoing_value_write_body() for value in values]
    for stream in streams:
        stream.write(bytes(600))
    assert [value._sink._sending for value in values] == [False, True, True]
    for value in values:
        value.drop()
    assert waiting.memory.used_bytes == 0
