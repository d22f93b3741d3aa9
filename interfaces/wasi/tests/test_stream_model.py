"""Streams against a model: whatever both sides do in whatever order, no byte is lost, doubled or moved."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qwasr.errors import GuestTrap
from qwasr.values import Variant, WitError
from qwasr_wasi.bytestreams import BufferedSink, PullSource
from qwasr_wasi.streams import InputStream, IoError, OutputStream, StreamFailed

U64 = st.integers(0, 40) | st.just(2**64 - 1)
LIMIT = 16


class Loop(RuleBasedStateMachine):
    """A machine with an event loop that turns when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.turn(3)
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()

    def turn(self, times: int = 1) -> None:
        async def turns() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def inside(self, function: Any, *args: Any) -> Any:
        """Call a guest's function on the loop; one that has to wait is cancelled after some turns, and None."""

        async def call() -> Any:
            result = function(*args)
            if not asyncio.iscoroutine(result):
                return "answered", result
            task = asyncio.ensure_future(result)
            for _ in range(6):
                await asyncio.sleep(0)
            if task.done():
                return "answered", task.result()
            task.cancel()
            await asyncio.wait([task])
            return "waits", None

        return self.loop.run_until_complete(call())


class Reading(Loop):
    """An input stream over a `PullSource`; the model is one byte string and how far it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = b""
        self.taken = 0
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.end: str | None = None
        self.told = False
        self.stream = InputStream(PullSource(self.fetch))

    async def fetch(self) -> bytes:
        piece = await self.queue.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def teardown(self) -> None:
        self.inside(self.stream.drop)
        super().teardown()

    @precondition(lambda self: self.end is None)
    @rule(length=st.integers(1, 30))
    def bytes_arrive(self, length: int) -> None:
        piece = bytes((len(self.arrived) + i) % 251 for i in range(length))
        self.arrived += piece
        self.queue.put_nowait(piece)

    @precondition(lambda self: self.end is None)
    @rule()
    def it_ends(self) -> None:
        self.end = "closed"
        self.queue.put_nowait(b"")

    @precondition(lambda self: self.end is None)
    @rule()
    def it_fails(self) -> None:
        self.end = "last-operation-failed"
        self.queue.put_nowait(StreamFailed(IoError("lost")))

    @rule(times=st.integers(1, 4))
    def time_passes(self, times: int) -> None:
        self.turn(times)

    def check(self, function: Any, length: int) -> tuple[str, Any] | None:
        """Call; check an end against the model, and return an answer."""
        try:
            state, answer = self.inside(function, length)
        except WitError as error:
            end = error.value.case
        else:
            assert not self.told
            return state, answer
        assert self.taken == len(self.arrived)
        assert end == ("closed" if self.told else self.end)
        self.told = True
        return None

    @rule(length=U64, blocking=st.booleans())
    def guest_reads(self, length: int, blocking: bool) -> None:
        checked = self.check(self.stream.blocking_read if blocking else self.stream.read, length)
        if checked is None:
            return
        state, data = checked
        if state == "waits":
            assert blocking
            assert self.taken == len(self.arrived)
            assert self.end is None
            return
        assert len(data) <= length
        assert data == self.arrived[self.taken : self.taken + len(data)]
        assert data or not blocking or not length
        self.taken += len(data)

    @rule(length=U64)
    def guest_skips(self, length: int) -> None:
        checked = self.check(self.stream.skip, length)
        if checked is not None:
            assert checked[1] <= length
            self.taken += checked[1]

    @rule()
    def guest_polls(self) -> None:
        state, _ = self.inside(self.stream.subscribe().block)
        due = self.taken < len(self.arrived) or self.end is not None
        assert state == ("answered" if due else "waits")


class Writing(Loop):
    """An output stream over a `BufferedSink`; the model is what was written and what the wire has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.sent = b""
        self.tokens = asyncio.Semaphore(0)
        self.broken = False
        self.over = False
        self.sink = BufferedSink(self.send, limit_bytes=LIMIT)
        self.stream = OutputStream(self.sink)

    async def send(self, data: bytes) -> None:
        assert data
        assert len(data) <= LIMIT
        await self.tokens.acquire()
        if self.broken:
            raise StreamFailed(IoError("lost"))
        self.sent += data

    def teardown(self) -> None:
        if not self.broken and not self.over:
            for _ in range(10):
                self.tokens.release()
            self.inside(self.stream.drop)
            self.loop.run_until_complete(self.sink.finish())
            assert self.sent == self.written
        self.sink.abort()
        super().teardown()

    @rule()
    def the_wire_takes_a_piece(self) -> None:
        self.tokens.release()
        self.turn(4)

    @rule()
    def the_wire_breaks(self) -> None:
        self.broken = True
        self.tokens.release()
        self.turn(4)

    @rule(length=U64, zeroes=st.booleans())
    def guest_writes(self, length: int, zeroes: bool) -> None:
        def write() -> None:
            permit = self.stream.check_write()
            data = bytes(0 if zeroes else i + 1 for i in range(min(length, LIMIT + 1)))
            try:
                self.stream.write_zeroes(len(data)) if zeroes else self.stream.write(data)
            except GuestTrap:
                assert len(data) > permit
            else:
                assert len(data) <= permit
                self.written += data

        self.guarded(write)

    @rule()
    def guest_flushes(self) -> None:
        self.guarded(self.stream.flush)

    @rule()
    def guest_polls(self) -> None:
        state, _ = self.inside(self.stream.subscribe().block)
        if state == "answered":
            self.guarded(self.permits_a_byte)

    def permits_a_byte(self) -> None:
        assert self.stream.check_write() > 0

    def guarded(self, function: Any) -> None:
        """Call; an end is only right when the wire broke, and the second one is `closed`."""
        try:
            self.inside(function)
        except WitError as error:
            end = error.value
        else:
            return
        assert self.broken
        assert (end == Variant("closed")) is self.over
        self.over = True

    @invariant()
    def what_was_sent_is_the_beginning_of_what_was_written(self) -> None:
        assert self.written.startswith(self.sent)

    @invariant()
    def no_more_than_a_buffer_waits(self) -> None:
        assert self.broken or len(self.written) - len(self.sent) <= LIMIT


Reading.TestCase.settings = Writing.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestReadingAgainstTheModel = Reading.TestCase
TestWritingAgainstTheModel = Writing.TestCase
