"""Changes that others make: Redis' keyspace notifications, without those of our own changes.

Redis tells every change of every key to whoever subscribed at that moment; nobody is told twice, and nobody later. Our
own changes come back that way too, so each is expected before it is sent, and one that is expected is not passed on.
While the connection is lost nothing is heard and nothing expected.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from urllib.parse import unquote

from redis.exceptions import RedisClusterException, RedisError

from mik_backend_redis.errors import reason
from mik_backend_redis.keyvalue import prefix
from mik_backend_redis.own import Ear, OwnChange
from qwasr.errors import BackendError
from qwasr_keyvalue.protocol import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

__all__ = ["Watch", "change_of"]

_log: Final = logging.getLogger("qwasr.redis")
_NEEDED: Final = "Kg$xe"  # by key: deleted and renamed, set, expired, evicted
_ALL: Final = "g$lshzxet"  # what the flag A stands for, at least
_SET: Final = {b"set", b"incrby", b"incrbyfloat", b"append", b"setrange", b"rename_to", b"restore", b"copy_to"}
_GONE: Final = {b"del", b"expired", b"evicted", b"rename_from", b"move_from"}
_QUIET_S: Final = 10.0  # a connection on which nothing comes is asked whether it is there
_PAUSE_S: Final = 0.5
_MESSAGE_PARTS: Final = 4


class Listening(Protocol):
    """What is listened to."""

    async def listeners(self) -> Sequence[Any]:
        """Return a connection for each node that has keys, not connected yet."""
        ...


class Watch:
    """Who listens, and what is expected to be heard of our own doing.

    Args:
        link: what is listened to.
        database: the number of the database.
        tagged: whether it is a cluster, whose keys are named in another way.
    """

    def __init__(self, link: Listening, database: int, *, tagged: bool) -> None:
        self._link = link
        self._channels = f"__keyspace@{database}__:".encode()
        self._tagged = tagged
        self._ears: set[Ear] = set()

    async def prepare(self) -> None:
        """See to it that Redis tells of changes.

        Raises:
            BackendError: it does not, and we may not tell it to.
        """
        for connection in await self._link.listeners():
            try:
                async with asyncio.timeout(_QUIET_S):
                    await self._subscribe(connection)
            except (RedisError, RedisClusterException, OSError) as error:
                advice = f"set notify-keyspace-events {_NEEDED} there and allow PSUBSCRIBE, or unset REDIS_WATCH"
                raise BackendError(f"Redis does not tell of changes: {reason(error)}; {advice}") from None
            finally:
                await connection.disconnect()

    async def changes(self) -> AsyncIterator[Change]:
        """Yield the changes that others make, until the backend is closed."""
        ear = Ear()
        self._ears.add(ear)
        task = asyncio.create_task(self._listen(ear))
        try:
            while (change := await ear.heard.get()) is not None:
                yield change
        finally:
            self._ears.discard(ear)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def own(self, *keys: bytes, deleted: bool) -> OwnChange:
        """Return what is entered while we change or delete keys, so that these changes are passed on to nobody."""
        return OwnChange(self._ears, [(key, deleted) for key in keys])

    def close(self) -> None:
        """End every listening."""
        for ear in self._ears:
            while not ear.heard.empty():
                ear.heard.get_nowait()
            ear.heard.put_nowait(None)

    async def _listen(self, ear: Ear) -> None:
        said = False
        while True:
            error = await self._listen_until_lost(ear)
            if ear.listens or not said:
                said = True
                _log.warning("changes that others make are not heard of now: %s", reason(error))
            ear.deafen()
            await asyncio.sleep(_PAUSE_S)

    async def _listen_until_lost(self, ear: Ear) -> BaseException:
        """Listen to every node until one is lost; return why."""
        tasks: list[asyncio.Task[NoReturn]] = []
        try:
            async with asyncio.timeout(_QUIET_S):
                connections = await self._link.listeners()
            tasks += [asyncio.create_task(self._hear(ear, connection)) for connection in connections]
            if not tasks:
                return RedisError("no node has keys")
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).exception() or RuntimeError()
        except Exception as error:  # noqa: BLE001 - logged, and tried again: nobody else hears of it
            return error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscribe(self, connection: Any) -> None:
        await connection.connect()
        await _switch_on(connection)
        await connection.send_command("PSUBSCRIBE", self._channels + b"*")
        await connection.read_response()

    async def _hear(self, ear: Ear, connection: Any) -> NoReturn:
        asked = False
        try:
            async with asyncio.timeout(_QUIET_S):
                await self._subscribe(connection)
            ear.listens = True
            while True:
                message = await connection.read_response(timeout=_QUIET_S, disconnect_on_error=False)
                if message is None:
                    if asked:
                        raise ConnectionResetError
                    await connection.send_command("PING")
                asked = message is None
                if message and len(message) == _MESSAGE_PARTS:
                    await self._pass_on(ear, message[2][len(self._channels) :], message[3])
        finally:
            await connection.disconnect(nowait=True)

    async def _pass_on(self, ear: Ear, key: bytes, event: bytes) -> None:
        deleted = event in _GONE
        if not (deleted or event in _SET) or ear.take((key, deleted)):
            return
        change = change_of(key, deleted=deleted, tagged=self._tagged)
        if change is not None:
            await ear.heard.put(change)


def change_of(key: bytes, *, deleted: bool, tagged: bool) -> Change | None:
    """Return the change of a Redis key, or `None` when it is the key of no bucket's entry."""
    head, colon, rest = key.partition(b"}:" if tagged else b":")
    try:
        name = head.removeprefix(b"{").decode() if tagged else head.decode()
        bucket = "" if tagged and name == "%" else unquote(name, errors="strict")
        text = rest.decode()
    except UnicodeDecodeError:
        return None
    return Change(bucket, text, deleted) if head + colon == prefix(bucket, tagged=tagged) else None


async def _switch_on(connection: Any) -> None:
    """Have the server tell of changes, besides what it tells of already."""
    await connection.send_command("CONFIG", "GET", "notify-keyspace-events")
    _, flags = await connection.read_response()
    now = flags.decode()
    told = now.replace("A", _ALL)
    if missing := "".join(flag for flag in _NEEDED if flag not in told):
        await connection.send_command("CONFIG", "SET", "notify-keyspace-events", now + missing)
        await connection.read_response()
