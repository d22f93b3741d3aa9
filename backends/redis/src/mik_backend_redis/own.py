"""Our own changes, which Redis tells us of like those of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from qwasr_keyvalue.protocol import Change

__all__ = ["Ear", "OwnChange"]

_QUEUE: Final = 1000  # heard and not passed on yet; then Redis has to wait, and lets go of who is too slow
_MAX_EXPECTED: Final = 65536


class OwnChange:
    """Changes that we are making.

    Attributes:
        happened: whether they did; what did not, or failed, is expected no longer.
    """

    __slots__ = ("_changes", "_ears", "happened")

    def __init__(self, ears: Iterable[Ear] = (), changes: Sequence[tuple[bytes, bool]] = ()) -> None:
        self._ears = tuple(ears)
        self._changes = changes
        self.happened = True

    def __enter__(self) -> Self:
        for ear in self._ears:
            for change in self._changes:
                ear.expect(change)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not self.happened:
            for ear in self._ears:
                for change in self._changes:
                    ear.take(change)


class Ear:
    """One who listens.

    Attributes:
        heard: changes to pass on; `None` after the last one.
        listens: whether a connection is there; else nothing is expected.
    """

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Change | None] = asyncio.Queue(_QUEUE)
        self.listens = False
        self._expected: dict[tuple[bytes, bool], int] = {}

    def expect(self, change: tuple[bytes, bool]) -> None:
        """Pass the next such change on to nobody."""
        if self.listens:
            self._expected[change] = self._expected.get(change, 0) + 1
            if len(self._expected) > _MAX_EXPECTED:
                del self._expected[next(iter(self._expected))]

    def take(self, change: tuple[bytes, bool]) -> bool:
        """Expect it once less; return whether it was expected."""
        count = self._expected.pop(change, 0)
        if count > 1:
            self._expected[change] = count - 1
        return count > 0

    def deafen(self) -> None:
        """Expect nothing any more: the connection is lost."""
        self.listens = False
        self._expected.clear()
