"""The host's ends of streams: where bytes come from, where they go to, and how that ends.

See `qwasr_wasi.streams`, which re-exports all of it, for how to build a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from qwasr.hosting import HostResource
from qwasr_wasi.poll import READY, Waitable

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["ENDED", "MAX_PIECE_BYTES", "ByteSink", "ByteSource", "IoError", "StreamClosed", "StreamFailed"]

MAX_PIECE_BYTES: Final = 64 * 1024
"""The most that one read, one permit or one splice carries."""


class IoError(HostResource):
    """wasi:io/error.error: what went wrong, for the guest.

    Args:
        message: one line for a guest's developer, without host names, paths or credentials.
        kind: the WIT interface whose error code it carries, for example ``"wasi:http/types"``.
        code: that error code, what ``http-error-code`` and ``filesystem-error-code`` answer.
    """

    __slots__ = ("code", "kind", "message")

    wit_name = "error"

    def __init__(self, message: str, *, kind: str = "", code: Any = None) -> None:
        self.message = message
        self.kind = kind
        self.code = code

    def to_debug_string(self) -> str:
        """Return the message."""
        return self.message


class StreamClosed(Exception):
    """A source has no more bytes and never will, or a sink takes none any more."""


class StreamFailed(Exception):
    """The last operation of a source or sink failed, which is also its end.

    Args:
        error: what the guest is told.
    """

    def __init__(self, error: IoError) -> None:
        super().__init__(error.message)
        self.error = error


class ByteSource(Waitable, Protocol):
    """Where an input stream's bytes come from.

    `ready` is true when `take` would return bytes or raise.
    """

    def take(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes that are there now, ``b""`` when none are (or `limit` is 0); never wait.

        Raises:
            StreamClosed: there are no more and will be none.
            StreamFailed: reading failed; said once, then it counts as closed.
        """
        ...

    def wait(self) -> Awaitable[None]:
        """Return when `ready`; `wait_until(self)` unless there is a shorter way."""
        ...

    def close(self) -> None:
        """Release everything: at the end, after a failure, or when the guest drops the stream; called once."""
        ...


class ByteSink(Waitable, Protocol):
    """Where an output stream's bytes go.

    `ready` is true when `capacity` would return more than 0 or raise.
    """

    def capacity(self) -> int:
        """Return how many bytes `write` takes now: 0 when full, and after a `flush` until it is done.

        It shrinks by nothing but `write` and `flush`.

        Raises:
            StreamClosed: nothing is taken any more.
            StreamFailed: an earlier write or flush failed; said once, then it counts as closed.
        """
        ...

    def write(self, data: bytes) -> None:
        """Take 1 to `capacity` bytes without waiting."""
        ...

    def flush(self) -> None:
        """Begin to pass on what was written; done at once when `ready` stays true."""
        ...

    def wait(self) -> Awaitable[None]:
        """Return when `ready`; `wait_until(self)` unless there is a shorter way."""
        ...

    def close(self) -> None:
        """Take no more: after a failure, or when the guest drops the stream, what was written still goes out."""
        ...


class _Ended:
    """The source and sink of a stream that is closed."""

    __slots__ = ()
    ready = staticmethod(READY.ready)
    watch = staticmethod(READY.watch)

    def take(self, limit: int) -> NoReturn:
        raise StreamClosed

    def capacity(self) -> NoReturn:
        raise StreamClosed

    def write(self, data: bytes) -> NoReturn:
        raise StreamClosed

    def flush(self) -> NoReturn:
        raise StreamClosed

    async def wait(self) -> None:
        return

    def close(self) -> None:
        return


ENDED: Final = _Ended()
"""A source without bytes and a sink that takes none."""
