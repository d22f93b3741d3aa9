"""Which one of several processes listens: whoever has the lease, a key in Redis that goes away by itself."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from mik_backend_redis.scripts import CHANNEL, GIVE, TAKE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["LEASE_S", "Lease"]

LEASE_S: Final = 3.0  # how long nobody listens when a process ends without a word


class Lease:
    """The right of one among many to do what only one shall do.

    Args:
        run: runs a script: the script, its keys, its arguments.
        group: the name of those among whom there is one.
    """

    def __init__(self, run: Callable[..., Awaitable[Any]], group: str) -> None:
        self._run = run
        self._key = CHANNEL + b"/" + quote(group, safe="").encode()
        self._who = secrets.token_hex(16)
        self._until_s = 0.0

    @property
    def held(self) -> bool:
        """Whether it is ours at this moment."""
        return time.monotonic() < self._until_s

    async def take(self) -> bool:
        """Take it when it is free, keep it when it is ours; return whether it is."""
        asked_s = time.monotonic()  # before Redis counts: we never believe in it for longer than Redis does
        if await self._run(TAKE, [self._key], self._who, int(LEASE_S * 1000)):
            self._until_s = asked_s + LEASE_S
        else:
            self._until_s = 0.0
        return self.held

    async def give(self) -> None:
        """Give it back if it is ours."""
        if self.held:
            self._until_s = 0.0
            await self._run(GIVE, [self._key], self._who)
