"""A cluster: redis-py finds the node of each key, follows redirections, and learns anew when nodes come and go."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterError, RedisClusterException

from mik_backend_redis.connections import AWAY, Tries, certificates, credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from mik_backend_redis.address import Address
    from mik_backend_redis.options import RedisOptions

__all__ = ["Cluster"]

_LEARN_S: Final = 5.0  # how often who listens asks which nodes there are
_PATIENCE: Final = 0.7  # of a call's time: redis-py has to see the time-out to learn that a node is gone


class Cluster:
    """Commands to whichever node has the key."""

    def __init__(self, address: Address, options: RedisOptions) -> None:
        self._tries = Tries(options)
        self._places = asyncio.Semaphore(options.pool_size)
        self._learned_s = time.monotonic()
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

    async def call(self, *arguments: Any, repeatable: bool = False) -> Any:
        """Send a command and return the answer.

        Args:
            arguments: the command and what belongs to it.
            repeatable: whether it may be sent twice, since it changes nothing.
        """
        async with self._places:
            failures = 0
            while True:
                try:
                    return await self._client.execute_command(*arguments)
                except (*AWAY, ClusterError, RedisClusterException) as error:
                    if not repeatable:
                        raise
                    failures += 1
                    await self._tries.pause(failures, error)

    async def listeners(self) -> dict[str, Callable[[], Any]]:
        """Return of each primary what makes a connection to it, for who listens instead of asking."""
        await self._client.initialize()
        if time.monotonic() - self._learned_s >= _LEARN_S:
            # Who only listens is never sent elsewhere, and so never learns of a node that came later.
            self._learned_s = time.monotonic()
            await self._client.nodes_manager.initialize()
        return {node.name: partial(_connection, node) for node in self._client.get_primaries()}

    async def check(self) -> None:
        """Ask every primary."""
        await self._client.initialize()
        for node in self._client.get_primaries():
            await node.execute_command("PING")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _connection(node: Any) -> Any:
    return node.connection_class(**node.connection_kwargs)
