"""Streams over files: any number of them on one file, backpressure, what is read ahead, what is left to be written."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.wasi.tests.folders import NO, READ, code, code_now, content, done, make, mount_of, mounted
from qwasr.values import Variant, WitError
from qwasr_wasi.filesystem import KIND, FilesystemTypes
from qwasr_wasi.poll import wait_until

if TYPE_CHECKING:
    from pathlib import Path

CLOSED = Variant("closed")
DATA = bytes(range(256)) * 1000
NO_BACKENDS: Any = None


async def read_all(stream: Any, step: int = 10_000) -> bytes:
    pieces = []
    while True:
        try:
            pieces.append(await done(stream.blocking_read(step)))
        except WitError as error:
            assert error.value == CLOSED  # noqa: PT017 - the end
            return b"".join(pieces)


async def write_all(stream: Any, data: bytes) -> None:
    while data:
        permit = stream.check_write()
        if not permit:
            await wait_until(stream)
            continue
        stream.write(data[:permit])
        data = data[permit:]
    await done(stream.blocking_flush())


@pytest.mark.parametrize("offset", [0, 1, 70_000, len(DATA), 2**63])
async def test_a_file_is_read_from_an_offset_to_its_end(tmp_path: Path, offset: int) -> None:
    (tmp_path / "file").write_bytes(DATA)
    async with mounted(tmp_path) as root:
        file = await root.open_at(NO, "file", NO, READ)
        stream = file.read_via_stream(offset)
        file.drop()  # a stream lives on
        assert await read_all(stream) == DATA[offset:]
        stream.drop()


@pytest.mark.parametrize("offset", [0, 5])
async def test_a_file_is_written_from_an_offset_on(tmp_path: Path, offset: int) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"0123456789")
        stream = file.write_via_stream(offset)
        file.drop()
        await write_all(stream, DATA)
        stream.drop()
    assert (tmp_path / "file").read_bytes() == b"0123456789"[:offset] + DATA


async def test_appending_writes_at_the_end_wherever_that_is(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"start ")
        streams = [file.append_via_stream() for _ in range(2)]
        for word in (b"one ", b"two "):
            for stream in streams:
                await done(stream.blocking_write_and_flush(word))
        await file.write(b"S", 0)
        await done(streams[0].blocking_write_and_flush(b"end"))
        for stream in streams:
            stream.drop()
        file.drop()
    assert (tmp_path / "file").read_bytes() == b"Start one one two two end"


async def test_a_sink_takes_no_more_than_64_kib_until_it_is_written(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        stream = file.write_via_stream(0)
        assert stream.check_write() == 65_536
        stream.write(bytes(65_536))
        assert stream.check_write() == 0
        pollable = stream.subscribe()
        assert not pollable.ready()
        await done(pollable.block())
        assert stream.check_write() == 65_536
        assert (await file.stat()).size == 65_536
        stream.drop()
        file.drop()


async def test_a_source_polls_ready_when_bytes_are_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    async with mounted(tmp_path) as root:
        file = await root.open_at(NO, "file", NO, READ)
        stream = file.read_via_stream(0)
        assert stream.read(10) == b""
        await done(stream.subscribe().block())
        assert stream.read(10) == b"data"
        await done(stream.subscribe().block())
        with pytest.raises(WitError, match="closed"):
            stream.read(10)
        stream.drop()
        file.drop()


async def test_what_was_read_ahead_is_forgotten_when_the_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        stream = file.read_via_stream(0)
        assert await done(stream.blocking_read(3)) == b"012"
        other = await make(root, "file")
        await other.write(b"X", 4)
        assert await done(stream.blocking_read(3)) == b"3X5"
        writer = other.write_via_stream(7)
        await done(writer.blocking_write_and_flush(b"YZ"))
        assert await done(stream.blocking_read(10)) == b"6YZ9"
        await done(stream.subscribe().block())  # the end was seen
        await other.write(b"more", 10)
        assert await done(stream.blocking_read(10)) == b"more"
        await other.set_size(0)
        assert await code(done(stream.blocking_read(10))) == CLOSED
        for resource in (stream, writer, other, file):
            resource.drop()


async def test_what_was_read_while_the_file_was_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        has_read, may_return = threading.Event(), threading.Event()
        pread = os.pread

        def slow(*arguments: int) -> bytes:
            data = pread(*arguments)
            has_read.set()
            assert may_return.wait(30)
            return data

        monkeypatch.setattr(os, "pread", slow)
        stream = file.read_via_stream(0)
        assert stream.read(10) == b""  # begins to read ahead
        assert await asyncio.to_thread(has_read.wait, 30)
        await file.write(b"new", 0)
        may_return.set()
        assert await done(stream.blocking_read(10)) == b"new"
        for resource in (stream, file):
            resource.drop()


async def test_what_is_not_flushed_is_written_when_the_stream_is_dropped(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        stream = file.write_via_stream(0)
        stream.write(b"left over")
        stream.drop()
        file.drop()
        assert len(mount_of(root).mounts.unsettled) == 1
    assert (tmp_path / "file").read_bytes() == b"left over"


async def test_a_sink_that_is_done_is_not_kept(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        stream = file.write_via_stream(0)
        await done(stream.blocking_write_and_flush(b"data"))
        stream.drop()
        file.drop()
        assert not mount_of(root).mounts.unsettled


async def test_a_stream_that_fails_says_why(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=5000) as root:
        file = await make(root, "file")
        stream = file.write_via_stream(0)
        await done(stream.blocking_write_and_flush(bytes(3000)))
        with pytest.raises(WitError) as caught:
            await done(stream.blocking_write_and_flush(bytes(3000)))
        assert caught.value.value.case == "last-operation-failed"
        error = caught.value.value.value
        assert FilesystemTypes(NO_BACKENDS).filesystem_error_code(error) == "quota"
        assert (error.kind, error.to_debug_string()) == (KIND, "Disk quota exceeded")
        assert code_now(stream.blocking_flush) == CLOSED
        stream.drop()
        file.drop()


async def test_a_read_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, os.strerror(5), str(tmp_path))

    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"data")
        monkeypatch.setattr(os, "pread", broken)
        stream = file.read_via_stream(0)
        with pytest.raises(WitError) as caught:
            await done(stream.blocking_read(1))
        error = caught.value.value.value
        assert (error.code, error.to_debug_string()) == ("io", "Input/output error")
        stream.drop()
        file.drop()


async def test_what_cannot_be_written_any_more_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with mounted(tmp_path, max_bytes=2000) as root:
        file = await make(root, "file")
        stream = file.write_via_stream(0)
        stream.write(bytes(3000))
        stream.drop()
        file.drop()
    assert caplog.messages == ["what a guest wrote and did not flush is lost: Disk quota exceeded"]


async def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: whole(fd, data[:1000], offset))
    async with mounted(tmp_path) as root:
        file = await root.open_at(NO, "file", frozenset({"create"}), frozenset({"write"}))
        stream = file.write_via_stream(7)
        await write_all(stream, DATA[:9999])
        stream.drop()
        file.drop()
    assert (tmp_path / "file").read_bytes() == bytes(7) + DATA[:9999]


async def test_a_file_is_copied_by_splicing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    async with mounted(tmp_path) as root:
        file = await root.open_at(NO, "file", NO, READ)
        copy = await make(root, "copy")
        source, sink = file.read_via_stream(0), copy.write_via_stream(0)
        moved = 0
        while moved < len(DATA):
            moved += await done(sink.blocking_splice(source, 2**64 - 1))
        await done(sink.blocking_flush())
        assert (await copy.stat()).size == len(DATA)
        for resource in (source, sink, copy, file):
            resource.drop()
    assert (tmp_path / "copy").read_bytes() == DATA


async def test_a_guest_that_is_cancelled_in_a_write_closes_nothing_under_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    whole = os.pwrite

    def slow(fd: int, data: bytes, offset: int) -> int:
        entered.set()
        assert go_on.wait(10)
        return whole(fd, data, offset)  # fails if the number is closed, writes elsewhere if it is another file's

    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        monkeypatch.setattr(os, "pwrite", slow)
        stream = file.write_via_stream(0)
        guest = asyncio.ensure_future(done(stream.blocking_write_and_flush(b"written")))
        await asyncio.to_thread(entered.wait, 10)
        guest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guest
        stream.drop()
        file.drop()
        other = await make(root, "other")  # would get the file's number
        go_on.set()
        other.drop()
    assert (tmp_path / "file").read_bytes() == b"written"
    assert (tmp_path / "other").read_bytes() == b""


async def test_many_streams_copy_many_files_at_once(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:

        async def copy(n: int) -> None:
            file = await make(root, f"file-{n}")
            stream = file.write_via_stream(0)
            await write_all(stream, DATA[n:])
            stream.drop()
            source = file.read_via_stream(0)
            assert await read_all(source) == DATA[n:]
            source.drop()
            file.drop()

        async with asyncio.TaskGroup() as group:
            for n in range(16):
                group.create_task(copy(n))
        assert await content(root, "file-3") == DATA[3:][:65_536]
