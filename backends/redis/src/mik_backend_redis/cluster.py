"""A cluster: redis-py finds the node of each key, follows redirections, and learns anew when nodes come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterError, RedisClusterException

from mik_backend_redis.connections import AWAY, Tries, certificates, credentials

if TYPE_CHECKING:
    from mik_backend_redis.address import Address
    from mik_backend_redis.options import RedisOptions

__all__ = ["Cluster"]

_PATIENCE: Final = 0.7  # of a call's time: redis-py has to see the time-out to learn that a node is gone


class Cluster:
    """Commands to whichever node has the key."""

    def __init__(self, address: Address, options: RedisOptions) -> None:
        self._tries = Tries(options)
        self._places = asyncio.Semaphore(options.pool_size)
        patience_s = options.timeout_s * _PATIENCE
        self._client: Any = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # it cannot tell what may be repeated
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            max_connections=options.pool_size,
            require_full_coverage=False,
            ssl=address.tls,
            **credentials(address, options),
            **certificates(address, options),
        )

    async def call(self, *arguments: Any, repeatable: bool = False, place: bytes | None = None) -> Any:
        """Send a command and return the answer.

        Args:
            arguments: the command and what belongs to it.
            repeatable: whether it may be sent twice, since it changes nothing.
            place: a key whose node is asked, for a command that has none.
        """
        async with self._places:
            failures = 0
            while True:
                try:
                    return await self._once(arguments, place)
                except (*AWAY, ClusterError, RedisClusterException) as error:
                    if not repeatable:
                        raise
                    failures += 1
                    await self._tries.pause(failures, error)

    async def _once(self, arguments: tuple[Any, ...], place: bytes | None) -> Any:
        if place is None:
            return await self._client.execute_command(*arguments)
        await self._client.initialize()
        node = self._client.get_node_from_key(place)
        return await node.execute_command(*arguments)

    async def listeners(self) -> list[Any]:
        """Return a connection to each primary, not connected yet, for who listens instead of asking."""
        await self._client.initialize()
        return [node.connection_class(**node.connection_kwargs) for node in self._client.get_primaries()]

    async def check(self) -> None:
        """Ask every primary."""
        await self._client.initialize()
        for node in self._client.get_primaries():
            await node.execute_command("PING")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
