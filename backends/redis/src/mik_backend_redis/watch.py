"""Changes that others make: Redis' keyspace notifications, without those of our own changes.

Redis tells every change of every key to whoever subscribed at that moment; nobody is told twice, and nobody later. Our
own changes come back that way too. They are marked (see `scripts`) with the groups that they are of: processes that run
the same component are one group, and none of them is told what one of them changed. Of one group, one listens: who has
its lease. So each change by somebody else is told once, however many processes there are, and two that watch and write
never answer one another without end. While the connection is lost nothing is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from urllib.parse import quote, unquote

from redis.exceptions import RedisClusterException, RedisError

from mik_backend_redis.errors import reason
from mik_backend_redis.keyvalue import prefix
from mik_backend_redis.lease import Lease
from mik_backend_redis.scripts import CHANNEL
from qwasr.errors import BackendError
from qwasr_keyvalue.errors import KeyValueError
from qwasr_keyvalue.protocol import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

__all__ = ["Watch", "change_of"]

_log: Final = logging.getLogger("qwasr.redis")
_NEEDED: Final = "Kg$xe"  # by key: deleted and renamed, set, expired, evicted
_ALL: Final = "g$lshzxet"  # what the flag A stands for, at least
_SET: Final = {b"set", b"incrby", b"incrbyfloat", b"append", b"setrange", b"rename_to", b"restore", b"copy_to"}
_PASSED: Final = {b"expired", b"evicted"}  # nobody's doing, even while a change of ours is made
_GONE: Final = {b"del", b"rename_from", b"move_from"} | _PASSED
_QUIET_S: Final = 10.0  # a connection on which nothing comes is asked whether it is there
_TURN_S: Final = 0.5  # how often the lease is taken, and lost connections and new nodes are looked for
_QUEUE: Final = 1000  # heard and not passed on yet; then Redis has to wait, and lets go of who is too slow
_EVENT_PARTS: Final = 4  # of a message from a pattern; one from a channel has fewer


class Listening(Protocol):
    """What is listened to."""

    async def listeners(self) -> Mapping[str, Callable[[], Any]]:
        """Return of each node that has keys what makes a connection to it, not connected yet."""
        ...


class _Ear:
    """One who listens.

    Attributes:
        group: the mark of its group.
        lease: the right to listen.
        heard: changes to pass on; `None` after the last one.
        task: takes the lease, and listens.
        deaf: whether the log says already that nothing is heard.
    """

    def __init__(self, group: bytes, lease: Lease) -> None:
        self.group = group
        self.lease = lease
        self.heard: asyncio.Queue[Change | None] = asyncio.Queue(_QUEUE)
        self.task: asyncio.Task[None] | None = None
        self.deaf = False


class Watch:
    """Who listens, and how our own changes are marked.

    Args:
        link: what is listened to.
        run: runs a script: the script, its keys, its arguments.
        database: the number of the database.
        tagged: whether it is a cluster, whose keys are named in another way.
    """

    def __init__(self, link: Listening, run: Callable[..., Awaitable[Any]], database: int, *, tagged: bool) -> None:
        self._link = link
        self._run = run
        self._events = f"__keyspace@{database}__:".encode()
        self._tagged = tagged
        self._ears: set[_Ear] = set()

    async def prepare(self) -> None:
        """See to it that Redis tells of changes.

        Raises:
            BackendError: it does not, and we may not tell it to.
        """
        try:
            await self._prepare()
        except (RedisError, RedisClusterException, OSError, KeyValueError) as error:
            advice = (
                f"set notify-keyspace-events {_NEEDED} there and allow PUBLISH, SUBSCRIBE and PSUBSCRIBE as "
                "the README of mik-backend-redis says, or unset REDIS_WATCH"
            )
            told = error.__cause__ if isinstance(error, KeyValueError) and error.__cause__ else error
            raise BackendError(f"Redis does not tell of changes: {reason(told)}; {advice}") from None

    async def _prepare(self) -> None:
        for connect in (await self._link.listeners()).values():
            connection = connect()
            try:
                async with asyncio.timeout(_QUIET_S):
                    await connection.connect()
                    await _ask(connection, "PUBLISH", CHANNEL, b"")
                    await self._subscribe(connection)
            finally:
                await connection.disconnect()
        lease = Lease(self._run, "")
        await lease.take()
        await lease.give()

    async def changes(self, group: str) -> AsyncIterator[Change]:
        """Yield the changes that others make, until the backend is closed.

        Args:
            group: whose changes are left out; each is told to one of them.
        """
        ear = _Ear(quote(group, safe="").encode(), Lease(self._run, group))
        self._ears.add(ear)
        ear.task = asyncio.create_task(self._listen(ear))
        try:
            while (change := await ear.heard.get()) is not None:
                yield change
        finally:
            self._ears.discard(ear)
            await _end(ear.task)

    def mark(self, bucket: bytes) -> bytes:
        """Return how a change is marked as ours; nothing when nobody listens."""
        groups = b",".join({ear.group for ear in self._ears})
        return groups + b" " + bucket if self._ears else b""

    async def close(self) -> None:
        """End every listening, and let others listen."""
        for ear in list(self._ears):
            if ear.task is not None:
                await _end(ear.task)
            while not ear.heard.empty():
                ear.heard.get_nowait()
            ear.heard.put_nowait(None)

    async def _listen(self, ear: _Ear) -> None:
        """Listen to every node as long as the lease is ours."""
        hearing: dict[str, asyncio.Task[NoReturn]] = {}
        try:
            while True:
                try:
                    await self._turn(ear, hearing)
                except Exception as error:  # noqa: BLE001 - logged, and tried again: nobody else hears of it
                    _deafened(ear, error)
                await asyncio.sleep(_TURN_S)
        finally:
            await _end(*hearing.values())
            with contextlib.suppress(KeyValueError):  # then it ends by itself
                await ear.lease.give()

    async def _turn(self, ear: _Ear, hearing: dict[str, asyncio.Task[NoReturn]]) -> None:
        """Begin to listen to nodes that are new or were lost, and end with those that are gone."""
        nodes: Mapping[str, Callable[[], Any]] = {}
        if await ear.lease.take():
            nodes = await self._link.listeners()
        else:
            ear.deaf = False  # somebody else of the group hears
        ended = [name for name, task in hearing.items() if task.done() or name not in nodes]
        for name in ended:
            task = hearing.pop(name)
            if task.done():
                _deafened(ear, task.exception() or RuntimeError())
            await _end(task)
        for name in nodes.keys() - hearing.keys():
            hearing[name] = asyncio.create_task(self._hear(ear, nodes[name]()))

    async def _subscribe(self, connection: Any) -> None:
        await _switch_on(connection)
        # The marks first: a change that is heard has to be known for ours.
        await _ask(connection, "SUBSCRIBE", CHANNEL)
        await _ask(connection, "PSUBSCRIBE", self._events + b"*")

    async def _hear(self, ear: _Ear, connection: Any) -> NoReturn:
        asked = False
        ours: set[bytes] = set()  # buckets in which a change of our group is being made
        try:
            async with asyncio.timeout(_QUIET_S):
                await connection.connect()
                await self._subscribe(connection)
            ear.deaf = False
            while True:
                message = await connection.read_response(timeout=_QUIET_S, disconnect_on_error=False)
                if message is None:
                    if asked:
                        raise ConnectionResetError
                    await connection.send_command("PING")
                asked = message is None
                if message and len(message) == _EVENT_PARTS:
                    await self._pass_on(ear, ours, message[2][len(self._events) :], message[3])
                elif message and message[1] == CHANNEL:
                    _note(ear, ours, message[2])
        finally:
            await connection.disconnect(nowait=True)

    async def _pass_on(self, ear: _Ear, ours: set[bytes], key: bytes, event: bytes) -> None:
        deleted = event in _GONE
        if not (deleted or event in _SET) or not ear.lease.held:
            return
        change = change_of(key, deleted=deleted, tagged=self._tagged)
        if change is not None and (event in _PASSED or prefix(change.bucket, tagged=self._tagged) not in ours):
            await ear.heard.put(change)


def _note(ear: _Ear, ours: set[bytes], mark: Any) -> None:
    """Note where a change of our group begins or ends."""
    if isinstance(mark, bytes):
        groups, _, bucket = mark[1:].partition(b" ")
        if ear.group in groups.split(b","):
            (ours.add if mark.startswith(b"+") else ours.discard)(bucket)


def _deafened(ear: _Ear, error: BaseException) -> None:
    """Say once in the log that nothing is heard, until something can be."""
    if not ear.deaf:
        ear.deaf = True
        _log.warning("changes that others make are not heard of now: %s", reason(error.__cause__ or error))


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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


async def _ask(connection: Any, *command: Any) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


async def _switch_on(connection: Any) -> None:
    """Have the server tell of changes, besides what it tells of already."""
    _, flags = await _ask(connection, "CONFIG", "GET", "notify-keyspace-events")
    now = flags.decode()
    told = now.replace("A", _ALL)
    if missing := "".join(flag for flag in _NEEDED if flag not in told):
        await _ask(connection, "CONFIG", "SET", "notify-keyspace-events", now + missing)
