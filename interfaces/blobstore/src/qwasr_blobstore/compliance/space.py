"""Rules for a store that is full."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar, Final

import pytest

from qwasr_blobstore.compliance._stored import all_names, fresh_container, get, pattern, put, same
from qwasr_blobstore.errors import OutOfSpace

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore, Container

__all__ = ["SpaceRules"]

_MIB: Final = 1024 * 1024
_TOO_LARGE_BYTES: Final = 8 * _MIB
_ROUNDS: Final = 6  # more than there is room for


class SpaceRules:
    """What holds for a store that is full, where a test can have one.

    Attributes:
        room_back_in_s: how long after an abort there is room again, in seconds.
    """

    room_back_in_s: ClassVar[float] = 5.0

    @pytest.fixture
    def cramped(self) -> Blobstore:
        """Return a connected backend with room for three mebibytes of objects, and not for eight."""
        pytest.skip("nobody says how this store becomes full: the class does not override the fixture `cramped`")

    async def test_an_object_that_does_not_fit_is_out_of_space_and_not_there(self, cramped: Blobstore) -> None:
        container = await fresh_container(cramped)
        with pytest.raises(OutOfSpace):
            await put(container, "object", pattern(_TOO_LARGE_BYTES))
        assert await container.has_object("object") is False
        assert await all_names(container) == []

    async def test_an_object_that_does_not_fit_leaves_the_old_one(self, cramped: Blobstore) -> None:
        container = await fresh_container(cramped)
        await put(container, "object", b"old")
        with pytest.raises(OutOfSpace):
            await put(container, "object", pattern(_TOO_LARGE_BYTES))
        assert await get(container, "object") == b"old"

    async def test_room_is_free_again_when_it_is_not_needed(self, cramped: Blobstore) -> None:
        container = await fresh_container(cramped)
        data = pattern(_MIB)
        for _ in range(_ROUNDS):
            with pytest.raises(OutOfSpace):
                await put(container, "too-large", pattern(_TOO_LARGE_BYTES))
            writer = await container.write("aborted")
            await self._soon(container, "deleted", data)
            writer.abort()
            await self._soon(container, "replaced", data)
            await container.delete_objects(["deleted"])
        assert same(await get(container, "replaced"), data)

    async def _soon(self, container: Container, name: str, data: bytes) -> None:
        """Write an object, as soon as there is room for it: who aborts need not wait for that."""
        began_s = time.monotonic()
        while True:
            try:
                await put(container, name, data)
            except OutOfSpace:
                assert time.monotonic() - began_s <= self.room_back_in_s, "there is no room for what fitted before"
                await asyncio.sleep(0.05)
            else:
                return
