"""Bodies that are sent.

What a guest writes gathers, 64 KiB at most, until the server's response or the client's request takes it. A full sink
permits no more, which is the backpressure that the guest feels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from qwasr.values import Variant
from qwasr_http.codes import stream_failed
from qwasr_http.held import Hold
from qwasr_wasi.poll import Unwatch, Waiters, Wake, wait_until
from qwasr_wasi.streams import MAX_PIECE_BYTES, StreamClosed, StreamFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["BUFFER_BYTES", "BodySink", "Outlet"]

BUFFER_BYTES: Final = MAX_PIECE_BYTES
"""How much of a body gathers before its guest has to wait."""


class Outlet(Protocol):
    """Where the bytes of a `BodySink` go."""

    def stir(self) -> None:
        """Bytes are there, or the end is: see to it soon."""
        ...

    def push(self) -> None:
        """Take now what goes out without waiting."""
        ...


class BodySink:
    """What a guest writes into a body, until its outlet takes it.

    Attributes:
        outlet: takes the bytes; ``None`` until the message is on its way.
        expected: the body's length by its `content-length`; ``None`` for any length.
        written: how many bytes the guest wrote.
        size: how many of them the outlet has not taken.
        finished: the guest said that the body is complete.
        failure: why there will be no complete body.
        open: a stream of the guest's writes here.
    """

    __slots__ = (
        "_hold",
        "_pieces",
        "_waiters",
        "code_case",
        "expected",
        "failure",
        "finished",
        "open",
        "outlet",
        "size",
        "written",
    )

    def __init__(self, expected: int | None, code_case: str) -> None:
        self.outlet: Outlet | None = None
        self.expected = expected
        self.code_case = code_case  # what a length other than the expected one is called
        self.written = 0
        self.size = 0
        self.finished = False
        self.failure: Variant | None = None
        self.open = False
        self._hold: Hold | None = None
        self._pieces: list[bytes] = []
        self._waiters: Waiters | None = None

    def capacity(self) -> int:
        """Return the room in the buffer."""
        if self.failure is not None or self.finished:
            raise StreamClosed
        if self.size >= BUFFER_BYTES and self.outlet is not None:
            self.outlet.push()
        return max(0, BUFFER_BYTES - self.size)

    def write(self, data: bytes) -> None:
        """Gather the bytes."""
        self.written += len(data)
        if self.expected is not None and self.written > self.expected:
            raise self._wrong_length()
        if self.outlet is None:
            if self._hold is None:
                self._hold = Hold()
            self._hold.add(len(data))
        self._pieces.append(data)
        self.size += len(data)
        if self.outlet is not None:
            self.outlet.stir()

    def flush(self) -> None:
        """See to it that the outlet takes the bytes soon; it does without being told."""
        if self.failure is not None or self.finished:
            raise StreamClosed

    def ready(self) -> bool:
        """Say whether there is room, or never will be."""
        if self.size < BUFFER_BYTES or self.failure is not None or self.finished:
            return True
        if self.outlet is not None:
            self.outlet.push()
        return self.size < BUFFER_BYTES

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready`."""
        if self._waiters is None:
            self._waiters = Waiters()
        if self.ready():
            wake()
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        """Return when `ready`."""
        return wait_until(self)

    def close(self) -> None:
        """Let the guest's stream go; the body is complete only when it is finished."""
        self.open = False

    def take(self) -> bytes:
        """Return everything that has gathered (the outlet's)."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._forget()
        self.notify()
        return data

    def finish(self) -> None:
        """Complete the body.

        Raises:
            StreamFailed: its length is not what was announced.
        """
        # Nothing written may be right whatever is announced: a response to HEAD. Its outlet knows.
        if self.expected is not None and self.written != self.expected and (self.written or self.outlet is not None):
            raise self._wrong_length()
        self.finished = True
        if self.outlet is not None:
            self.outlet.stir()

    def fail(self, code: Variant) -> None:
        """Give the body up: the guest writes no more, the outlet breaks the message off."""
        if self.failure is None and not self.finished:
            self.failure = code
            if self.outlet is None:
                self._forget()
            self.notify()
            if self.outlet is not None:
                self.outlet.stir()

    def _forget(self) -> None:
        self._pieces, self.size, self._hold = [], 0, None

    def notify(self) -> None:
        """Wake who waits for room."""
        if self._waiters is not None:
            self._waiters.notify()

    def _wrong_length(self) -> StreamFailed:
        code = Variant(self.code_case, self.written)
        self.fail(code)
        if self.outlet is not None:
            self.outlet.push()  # at once: the guest may not survive the error, and then it is too late to tell why
        return stream_failed(f"the body has {self.written} bytes where {self.expected} were announced", code)
