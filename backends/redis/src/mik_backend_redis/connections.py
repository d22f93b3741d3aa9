"""The connections to one server, or to the master that sentinels name.

The connections are redis-py's; lending them out is done here, since three things have to be certain. A command that may
have reached the server is repeated only when it changes nothing. A connection whose answer nobody waited for is never
used again. And a connection that broke while it lay idle is noticed before a command goes out on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Any, Final

from redis import exceptions
from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ReadOnlyError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mik_backend_redis.address import Address
    from mik_backend_redis.options import RedisOptions

__all__ = ["AWAY", "ClusterModeError", "Connections", "Tries", "certificates", "credentials"]

_log: Final = logging.getLogger("qwasr.redis")

AWAY: Final = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
_CLOSE_S: Final = 1.0
_FIRST_PAUSE_S: Final = 0.02


class ClusterModeError(Exception):
    """A node of a cluster where one server is expected."""


class Tries:
    """How often, and after which pauses, something is tried again.

    Args:
        retries: how often after the first time.
        max_pause_s: the longest pause; each is about twice the one before, by chance shorter.
    """

    __slots__ = ("_max_pause_s", "_retries")

    def __init__(self, options: RedisOptions) -> None:
        self._retries = options.max_retries
        self._max_pause_s = options.max_delay_ms / 1000

    async def pause(self, failures: int, error: Exception) -> None:
        """Wait after a failure, or raise it when there were enough, or when trying again cannot help."""
        if failures > self._retries or isinstance(error, AuthenticationError):
            raise error
        longest_s = min(self._max_pause_s, _FIRST_PAUSE_S * 2 ** (failures - 1))
        await asyncio.sleep(longest_s * random.uniform(0.5, 1))  # noqa: S311 - it spreads load, it guards nothing


class Connections:
    """As many connections as may be, each lent to one call at a time."""

    def __init__(self, address: Address, options: RedisOptions) -> None:
        self._tries = Tries(options)
        self._places = asyncio.Semaphore(options.pool_size)
        self._idle: list[Any] = []
        self._sentinel: Any = None
        # redis-py's pool only makes connections here: the settings of each kind are its business.
        self._maker: Any
        if address.kind == "sentinel":
            self._sentinel = _sentinel(address, options)
            pool: Any = SentinelConnectionPool
            self._maker = pool(address.service, self._sentinel, ssl=address.tls, **_settings(address, options))
        elif address.kind == "unix":
            self._maker = ConnectionPool(
                UnixDomainSocketConnection, path=address.path, **_settings(address, options, tls=False)
            )
        else:
            (host, port) = address.hosts[0]
            kind = SSLConnection if address.tls else Connection
            self._maker = ConnectionPool(kind, host=host, port=port, **_settings(address, options))

    async def call(self, *arguments: Any, repeatable: bool = False) -> Any:
        """Send a command and return the answer.

        Args:
            arguments: the command and what belongs to it.
            repeatable: whether it may be sent twice, since it changes nothing.
        """
        async with self._places:
            connection = self._idle.pop() if self._idle else self._maker.make_connection()
            try:
                return await self._call(connection, arguments, repeatable=repeatable)
            except ResponseError:
                raise  # an answer like any other: the connection goes on
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            finally:
                self._idle.append(connection)

    async def _call(self, connection: Any, arguments: tuple[Any, ...], *, repeatable: bool) -> Any:
        failures = 0
        while True:
            sent = False
            try:
                # Something to read on an idle connection is its end, or an answer to nobody.
                if not connection.is_connected or await connection.can_read():
                    await connection.disconnect(nowait=True)
                    await connection.connect()
                sent = True
                await connection.send_command(*arguments)
                return await connection.read_response()
            except ReadOnlyError:
                # A master that has become a replica; its name may lead to the new one.
                await connection.disconnect(nowait=True)
                raise
            except AWAY as error:
                await connection.disconnect(nowait=True)
                if sent and not repeatable:
                    raise
                failures += 1
                await self._tries.pause(failures, error)

    async def listeners(self) -> dict[str, Callable[[], Any]]:
        """Return what makes a connection of its own, for who listens instead of asking."""
        return {"": self._maker.make_connection}

    async def check(self) -> None:
        """Ask the server whether it is there, and whether it is one.

        Raises:
            ClusterModeError: it is a node of a cluster, so it has some of the keys only.
        """
        await self.call("PING", repeatable=True)
        with contextlib.suppress(ResponseError):  # some do not have it; every user may ask
            about = await self.call("HELLO", repeatable=True)
            if about[about.index(b"mode") + 1] == b"cluster":
                raise ClusterModeError

    async def close(self) -> None:
        """Close every connection."""
        idle, self._idle = self._idle, []
        try:
            async with asyncio.timeout(_CLOSE_S):  # TLS says goodbye, and waits for the other side to say so, too
                await asyncio.gather(*(connection.disconnect() for connection in idle))
        except TimeoutError:
            _log.info("Redis does not answer to the end of connections")
        if self._sentinel is not None:
            await self._sentinel.aclose()


def credentials(address: Address, options: RedisOptions) -> dict[str, Any]:
    """Return who we are: what the URL says, and where it says nothing, what the variables say."""
    return {
        "username": address.username if address.username is not None else options.username,
        "password": address.password if address.password is not None else options.password,
    }


def certificates(address: Address, options: RedisOptions) -> dict[str, Any]:
    """Return what TLS needs."""
    if not address.tls:
        return {}
    files = {"ssl_ca_certs": options.tls_ca, "ssl_certfile": options.tls_cert, "ssl_keyfile": options.tls_key}
    return {name: str(path) for name, path in files.items() if path is not None}


def _settings(address: Address, options: RedisOptions, *, tls: bool = True) -> dict[str, Any]:
    """Return what connections of every kind have in common: no retries and no time-outs but ours, and plain RESP2."""
    return {
        "db": address.database,
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        **credentials(address, options),
        **(certificates(address, options) if tls else {}),
    }


def _sentinel(address: Address, options: RedisOptions) -> Any:
    # A sentinel that hangs must not use up the time of a call in which another one would answer.
    patience_s = options.timeout_s / (len(address.hosts) + 1)
    sentinel: Any = Sentinel  # redis-py's types leave it out
    return sentinel(
        address.hosts,
        sentinel_kwargs={
            "protocol": 2,
            "socket_timeout": patience_s,
            "socket_connect_timeout": patience_s,
            "retry": Retry(NoBackoff(), 0),
            "username": options.sentinel_username,
            "password": options.sentinel_password,
            "ssl": address.tls,
            **certificates(address, options),
        },
    )
