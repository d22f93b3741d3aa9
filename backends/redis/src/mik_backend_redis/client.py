"""The backend: one Redis, and every call of it in bounded time.

A service that is away costs a call `REDIS_TIMEOUT_S` at most, and then the guest gets `other("… unavailable")`. Nothing
has to be done when it is back: the next call connects again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

from mik_backend_redis.address import SCHEMES, parse
from mik_backend_redis.keyvalue import Pages, RedisBucket, prefix
from mik_backend_redis.options import RedisOptions
from mik_backend_redis.scripts import HASHES
from qwasr.errors import BackendError
from qwasr_keyvalue.errors import AccessDenied, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from types import ModuleType

    from mik_backend_redis.address import Address
    from mik_backend_redis.watch import Watch
    from qwasr.options import ConnectOptions
    from qwasr_keyvalue.protocol import Change

__all__ = ["Limit", "Redis"]

_log: Final = logging.getLogger("qwasr.redis")
_START_PAUSE_S: Final = 0.1


class Limit:
    """Until when a call has to end, all of its commands together.

    Args:
        timeout_s: how long it takes at most, in seconds from now.

    Attributes:
        ends_s: the moment, by the clock of the event loop.
    """

    __slots__ = ("_half_s", "ends_s")

    def __init__(self, timeout_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        self._half_s = now_s + timeout_s / 2
        self.ends_s = now_s + timeout_s

    @property
    def half_over(self) -> bool:
        """Whether half of the time is over."""
        return asyncio.get_running_loop().time() >= self._half_s


class _Link(Protocol):
    async def call(self, *arguments: Any, repeatable: bool = False) -> Any: ...
    async def check(self) -> None: ...
    async def listeners(self) -> Mapping[str, Callable[[], Any]]: ...
    async def close(self) -> None: ...


class Redis:
    """Keys and values in Redis: one server, whichever one the sentinels name, or a cluster.

    Args:
        options: its settings.
    """

    name: ClassVar[str] = "redis"
    provides: ClassVar[tuple[str, ...]] = ("keyvalue",)
    schemes: ClassVar[tuple[str, ...]] = tuple(SCHEMES)
    Options: ClassVar[type[ConnectOptions]] = RedisOptions

    def __init__(self, options: RedisOptions) -> None:
        # The client library is imported here and not above: importing a plug-in is cheap.
        from mik_backend_redis import errors

        self.options = options
        self.address: Address = parse(options.url)
        self._errors: ModuleType = errors
        self._link: _Link = self._open()
        self._away = False
        self.pages = Pages()
        self.watch: Watch | None = None

    @classmethod
    async def connect(cls, options: RedisOptions) -> Self:
        """Connect, waiting up to `connect_timeout_s` for a Redis that is not up yet.

        Raises:
            BackendError: it does not answer in that time, or refuses us.
        """
        redis = cls(options)
        try:
            await redis._until_ready()
            if options.watch:
                await redis._watch()
        except BaseException:
            await redis.close()
            raise
        return redis

    async def check(self) -> None:
        """Ask whether it answers.

        Raises:
            BackendError: it does not, or refuses us.
        """
        try:
            async with asyncio.timeout(self.options.timeout_s):
                await self._link.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not usable
            raise BackendError(f"Redis is not usable: {self._errors.reason(error)}") from None

    async def close(self) -> None:
        """Close every connection."""
        if self.watch is not None:
            await self.watch.close()
        await self._link.close()

    async def open_bucket(self, identifier: str) -> RedisBucket:
        """Return the bucket of that name; nothing is asked, every name is one."""
        return RedisBucket(self, prefix(identifier, tagged=self.address.kind == "cluster"), identifier)

    def changes(self, group: str) -> AsyncIterator[Change] | None:
        """Return the changes that others make, as long as this backend is open; `None` unless `REDIS_WATCH` is on.

        Args:
            group: whose changes are left out, on whatever machine they are made; each is told to one of them.
        """
        return None if self.watch is None else self.watch.changes(group)

    def mark(self, bucket: bytes) -> bytes:
        """Return the mark of a change of ours in a bucket, by its prefix; nothing when nobody listens."""
        return b"" if self.watch is None else self.watch.mark(bucket)

    def limit(self) -> Limit:
        """Return until when a call that begins now has to end."""
        return Limit(self.options.timeout_s)

    async def run(
        self,
        script: str,
        keys: Sequence[bytes],
        *arguments: Any,
        repeatable: bool = False,
        limit: Limit | None = None,
    ) -> Any:
        """Run a script by its hash, and with its text where the server does not know it yet: then nothing was run.

        Raises:
            KeyValueError: what went wrong, as guests are told it.
        """
        from redis.exceptions import NoScriptError

        limit = limit or self.limit()
        rest = (len(keys), *keys, *arguments)
        try:
            return await self.call("EVALSHA", HASHES[script], *rest, repeatable=repeatable, limit=limit)
        except NoScriptError:
            return await self.call("EVAL", script, *rest, repeatable=repeatable, limit=limit)

    async def call(self, *arguments: Any, repeatable: bool = False, limit: Limit | None = None) -> Any:
        """Send a command and return the answer.

        Args:
            arguments: the command and what belongs to it.
            repeatable: whether it may be sent twice, since it changes nothing.
            limit: until when, where it is one of several commands of a call.

        Raises:
            KeyValueError: what went wrong, as guests are told it.
        """
        try:
            async with asyncio.timeout_at((limit or self.limit()).ends_s):
                answer = await self._link.call(*arguments, repeatable=repeatable)
        except Exception as error:
            told = self._errors.translated(error)
            if isinstance(told, (Unavailable, AccessDenied)):
                self._is_away(error)
            raise told from error
        if self._away:
            self._away = False
            _log.info("Redis is there again")
        return answer

    def _is_away(self, error: Exception) -> None:
        """Say once in the log that Redis cannot be used, until it can."""
        if not self._away:
            self._away = True
            _log.warning("Redis is not usable: %s", self._errors.reason(error))

    def _open(self) -> _Link:
        if self.address.kind == "cluster":
            from mik_backend_redis.cluster import Cluster

            return Cluster(self.address, self.options)
        from mik_backend_redis.connections import Connections

        return Connections(self.address, self.options)

    async def _watch(self) -> None:
        from mik_backend_redis.watch import Watch

        watch = Watch(self._link, self.run, self.address.database, tagged=self.address.kind == "cluster")
        await watch.prepare()
        self.watch = watch

    async def _until_ready(self) -> None:
        """Wait for a Redis that is not up yet; what waiting cannot help is an error at once."""
        ends_s = asyncio.get_running_loop().time() + self.options.connect_timeout_s
        while True:
            try:
                await self.check()
            except BackendError as error:
                if asyncio.get_running_loop().time() >= ends_s or self._errors.REFUSED in str(error):
                    raise
                await asyncio.sleep(_START_PAUSE_S)
            else:
                return
