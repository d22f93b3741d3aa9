"""Backends that do one thing wrong, to see that the compliance class catches it: what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qwasr_keyvalue import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_keyvalue._memory import MemoryBucket


class WrongBucket:
    """A right bucket, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]]  # the rules that catch it

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        self.right = right
        self.identifier = identifier

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)


class Backend(Memory):
    """Memory with another class of buckets."""

    def __init__(self, bucket: type[WrongBucket], rename: Callable[[str], str] = str) -> None:
        super().__init__()
        self._bucket = bucket
        self._rename = rename

    async def open_bucket(self, identifier: str) -> Any:
        return self._bucket(await super().open_bucket(self._rename(identifier)), identifier)
