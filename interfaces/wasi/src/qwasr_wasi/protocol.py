"""What a backend of the interface `wasi` implements: time, chance, the environment, streams, folders, network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_wasi.ends import ByteSink, ByteSource
    from qwasr_wasi.files.mounts import Mounts
    from qwasr_wasi.poll import Unwatch, Wake
    from qwasr_wasi.sockets.access import SocketAccess

__all__ = ["Clock", "Wasi"]


class Clock(Protocol):
    """A clock that never goes back, and what happens at a time of it."""

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since some fixed instant."""
        ...

    def call_at(self, when_ns: int, wake: Wake) -> Unwatch:
        """Have `wake` called on the event loop when `monotonic_ns` reaches `when_ns`; a needless call is allowed."""
        ...


class Wasi(Clock, Protocol):
    """Everything around a guest that its code cannot make itself.

    Attributes:
        monotonic_resolution_ns: the smallest step of the monotonic clock.
        wall_resolution_ns: the smallest step of the wall clock.
        environment: the variables that guests see.
        arguments: the guests' arguments, without the program's name.
        mounts: the folders that guests are given.
        sockets: as much of the network as guests may use.
    """

    monotonic_resolution_ns: int
    wall_resolution_ns: int
    environment: Sequence[tuple[str, str]]
    arguments: Sequence[str]
    mounts: Mounts
    sockets: SocketAccess

    def wall_ns(self) -> int:
        """Return the nanoseconds since 1970-01-01T00:00:00Z, never negative."""
        ...

    def random_bytes(self, length: int) -> bytes:
        """Return bytes that nobody can foretell, `length` of them."""
        ...

    def insecure_random_bytes(self, length: int) -> bytes:
        """Return bytes that look random, `length` of them."""
        ...

    def stdin(self) -> ByteSource:
        """Return what a guest reads as its standard input."""
        ...

    def output(self, name: Literal["stdout", "stderr"], call_id: str) -> ByteSink:
        """Return what takes a guest's standard output or error in the call with this id."""
        ...
