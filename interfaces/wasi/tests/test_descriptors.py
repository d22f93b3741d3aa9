"""A command's standard streams over file descriptors."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.call import _current
from qwasr.command import Command, CommandCall
from qwasr.errors import GuestExit
from qwasr.values import WitError
from qwasr_wasi import cli
from qwasr_wasi.descriptors import NO_READER, DescriptorSink, DescriptorSource
from qwasr_wasi.ends import MAX_PIECE_BYTES, StreamClosed, StreamFailed
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.files.codes import KIND
from qwasr_wasi.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from pathlib import Path

    Pipe = tuple[FileIO, FileIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as one, open(writer, "wb", buffering=0) as other:  # noqa: PTH123 - no path
        yield one, other


async def everything(source: DescriptorSource) -> bytes:
    data = b""
    while True:
        await source.wait()
        try:
            data += source.take(MAX_PIECE_BYTES)
        except StreamClosed:
            return data


async def test_a_pipe_is_read_as_it_fills(pipe: Pipe) -> None:
    source = DescriptorSource(pipe[0].fileno())
    pipe[1].write(b"one")
    await source.wait()
    assert source.take(100) == b"one"
    waiting = asyncio.ensure_future(source.wait())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    pipe[1].write(b"two")
    await asyncio.wait_for(waiting, 5)
    assert source.take(100) == b"two"
    pipe[1].close()
    assert await everything(source) == b""


async def test_waiting_for_a_pipe_can_be_cancelled_and_begun_again(pipe: Pipe) -> None:
    source = DescriptorSource(pipe[0].fileno())
    waiting = asyncio.ensure_future(source.wait())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pipe[1].write(b"still here")
    await asyncio.wait_for(source.wait(), 5)
    assert source.take(100) == b"still here"


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 1000)
    with path.open("rb") as file:
        assert await everything(DescriptorSource(file.fileno())) == path.read_bytes()


async def test_a_pipe_that_does_not_block_is_read_and_left_as_it_is(pipe: Pipe) -> None:
    os.set_blocking(pipe[0].fileno(), False)
    source = DescriptorSource(pipe[0].fileno())
    pipe[1].write(b"x")
    pipe[1].close()
    assert await everything(source) == b"x"
    assert not os.get_blocking(pipe[0].fileno())


async def test_a_guest_that_drops_its_input_loses_nothing(pipe: Pipe) -> None:
    source = DescriptorSource(pipe[0].fileno())
    pipe[1].write(b"first second")
    await source.wait()
    first = InputStream(source)
    assert first.read(6) == b"first "
    first.drop()
    assert InputStream(source).read(100) == b"second"


async def test_released_it_reads_no_more(pipe: Pipe) -> None:
    source = DescriptorSource(pipe[0].fileno())
    assert not source.ready()
    await asyncio.sleep(0)
    source.release()
    pipe[1].write(b"for the next")
    await asyncio.sleep(0.02)
    assert (pipe[0].read(100) or b"") == b"for the next"


async def test_what_is_written_is_there_at_once(pipe: Pipe) -> None:
    sink = DescriptorSink(pipe[1].fileno())
    sink.write(b"hello")
    assert (pipe[0].read(100) or b"") == b"hello"
    assert sink.capacity() == MAX_PIECE_BYTES


async def fill(sink: DescriptorSink) -> int:
    written = 0
    while room := sink.capacity():
        sink.write(b"x" * min(room, 5000))
        written += min(room, 5000)
    return written


async def test_a_full_pipe_holds_the_writer_up_without_blocking_the_loop(pipe: Pipe) -> None:
    sink = DescriptorSink(pipe[1].fileno())
    written = await fill(sink)
    assert not sink.ready()
    waiting = asyncio.ensure_future(asyncio.wait_for(sink.wait(), 5))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    read = len(pipe[0].read(1_000_000) or b"")
    await waiting
    finishing = asyncio.ensure_future(sink.finish())
    while read < written:
        await asyncio.sleep(0)
        if select.select([pipe[0]], [], [], 0)[0]:
            read += len(pipe[0].read(1_000_000) or b"")
    await asyncio.wait_for(finishing, 5)
    assert read == written


async def test_a_flush_is_over_when_the_reader_has_made_room(pipe: Pipe) -> None:
    sink = DescriptorSink(pipe[1].fileno())
    await fill(sink)
    sink.flush()
    assert sink.capacity() == 0
    while not sink.ready():
        (pipe[0].read(65536) or b"")
        await asyncio.sleep(0.001)
    assert sink.capacity() == MAX_PIECE_BYTES


async def test_a_socket_is_written_like_a_pipe() -> None:
    one, other = socket.socketpair()
    with one, other:
        sink = DescriptorSink(one.fileno())
        written = await fill(sink)
        finishing = asyncio.ensure_future(sink.finish())
        read = 0
        other.setblocking(False)
        while read < written:
            await asyncio.sleep(0.001)
            if select.select([other], [], [], 0)[0]:
                read += len(other.recv(1_000_000))
        await asyncio.wait_for(finishing, 5)


async def test_without_a_reader_the_call_ends(pipe: Pipe) -> None:
    sink = DescriptorSink(pipe[1].fileno())
    pipe[0].close()
    stream = OutputStream(sink)
    stream.write(b"for no one")
    with pytest.raises(GuestExit) as caught:
        stream.check_write()
    assert caught.value.code == NO_READER


async def test_a_reader_that_goes_while_something_is_kept_ends_the_call(pipe: Pipe) -> None:
    sink = DescriptorSink(pipe[1].fileno())
    await fill(sink)
    pipe[0].close()
    with pytest.raises(GuestExit):
        await asyncio.wait_for(sink.finish(), 5)


async def test_a_full_disk_is_an_error_for_the_guest() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(WitError) as caught:
            OutputStream(DescriptorSink(descriptor)).blocking_write_and_flush(b"data")
        assert caught.value.value.case == "last-operation-failed"
        error = caught.value.value.value
        assert (error.kind, error.code) == (KIND, "insufficient-space")
    finally:
        os.close(descriptor)


async def test_an_input_that_cannot_be_read_is_an_error_for_the_guest(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        source = DescriptorSource(descriptor)
        await source.wait()
        with pytest.raises(StreamFailed) as caught:
            source.take(100)
        assert (caught.value.error.kind, caught.value.error.code) == (KIND, "is-directory")
    finally:
        os.close(descriptor)


@contextmanager
def reset() -> Iterator[tuple[socket.socket, Callable[[], None]]]:
    """A connection, and what has its other end reset it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with one, other:
        yield one, other.close


async def test_what_was_kept_and_could_not_be_written_is_exit_code_1(caplog: pytest.LogCaptureFixture) -> None:
    with reset() as (one, cut):
        sink = DescriptorSink(one.fileno())
        await fill(sink)
        cut()
        with pytest.raises(GuestExit) as caught:
            await asyncio.wait_for(sink.finish(), 30)
    assert caught.value.code == 1
    assert [record.getMessage() for record in caplog.records] == [
        "what a command wrote is lost: Connection reset by peer"
    ]


async def test_a_failure_that_the_guest_was_told_leaves_it_its_exit_code() -> None:
    with reset() as (one, cut):
        sink = DescriptorSink(one.fileno())
        await fill(sink)
        stream = OutputStream(sink)
        cut()
        await asyncio.wait_for(sink.wait(), 30)
        with pytest.raises(WitError):
            stream.check_write()
        await asyncio.wait_for(sink.finish(), 30)


@pytest.fixture
def call(pipe: Pipe) -> Iterator[CommandCall]:
    guest: Any = None
    made = CommandCall.__new__(CommandCall)
    made.id, made.guest, made._guest, made.streams = "0123456789abcdef", "tool", guest, {}
    made._command = Command(
        arguments=("a", "b"), environment={"A": "1"}, stdin=pipe[0].fileno(), stdout=pipe[1].fileno()
    )
    token = _current.set(made)
    yield made
    for stream in made.streams.values():
        stream.release()
    _current.reset(token)


def on(system: FixedSystem) -> Any:
    class Backends:
        default = system

    return Backends()


def test_a_command_has_its_own_arguments_and_variables(call: CommandCall) -> None:
    host = cli.Environment(on(FixedSystem(environment={"B": "2"}, arguments=["x"])))
    assert host.get_arguments() == ["tool", "a", "b"]
    assert host.get_environment() == [("A", "1")]


def test_without_its_own_a_command_has_those_of_the_machine(call: CommandCall) -> None:
    call._command = Command()
    host = cli.Environment(on(FixedSystem(environment={"B": "2"}, arguments=["x"])))
    assert host.get_arguments() == ["tool", "x"]
    assert host.get_environment() == [("B", "2")]


async def test_all_handles_on_a_standard_stream_are_of_one_stream(call: CommandCall, pipe: Pipe) -> None:
    system = on(FixedSystem())
    for word in (b"one ", b"two"):
        cli.Stdout(system).get_stdout().write(word)
    first = cli.Stdin(system).get_stdin()
    reading = first.blocking_read(4)
    assert not isinstance(reading, bytes)
    assert await reading == b"one "
    first.drop()
    assert cli.Stdin(system).get_stdin().read(100) == b"two"
    assert sorted(call.streams) == ["stdin", "stdout"]


async def _finished(call: CommandCall) -> None:
    async with asyncio.timeout(30):
        for stream in call.streams.values():
            await stream.finish()


async def test_two_streams_on_one_descriptor_are_one(call: CommandCall, pipe: Pipe) -> None:
    call._command = Command(stdout=pipe[1].fileno(), stderr=pipe[1].fileno())
    system = on(FixedSystem())
    out, err = cli.Stdout(system).get_stdout(), cli.Stderr(system).get_stderr()
    written = 0
    for stream in (out, err):
        while room := min(stream.check_write(), 5000):  # until the pipe is full, and more is kept
            stream.write(b"x" * room)
            written += room
    finishing = asyncio.ensure_future(_finished(call))
    read = 0
    while not finishing.done():
        await asyncio.sleep(0)
        if select.select([pipe[0]], [], [], 0)[0]:
            read += len(pipe[0].read(1_000_000) or b"")
    await finishing
    assert read == written


async def test_a_stream_that_a_command_has_not_is_that_of_the_machine(
    call: CommandCall, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "qwasr.guest")
    call.logged_bytes = 0
    cli.Stderr(on(FixedSystem())).get_stderr().write(b"into the log\n")
    assert [record.getMessage() for record in caplog.records] == ["into the log"]


def test_only_a_terminal_is_one(call: CommandCall) -> None:
    outside, inside = os.openpty()
    try:
        call._command = Command(stdin=inside, stdout=inside)
        system = on(FixedSystem())
        assert cli.TerminalStdin(system).get_terminal_stdin() is not None
        assert cli.TerminalStdout(system).get_terminal_stdout() is not None
        assert cli.TerminalStderr(system).get_terminal_stderr() is None
        os.close(outside)
        outside = os.open(os.devnull, os.O_RDWR)
        call._command = Command(stdin=outside)
        assert cli.TerminalStdin(system).get_terminal_stdin() is None
    finally:
        os.close(outside)
        os.close(inside)
