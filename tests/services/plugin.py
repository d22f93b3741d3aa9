"""The fixtures."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.certificates import Certificates
from tests.services.certificates import make as make_certificates
from tests.services.redis import RedisCluster, RedisSentinel, RedisServer, stop_all


@contextlib.contextmanager
def exclusive(folders: pytest.TempPathFactory, name: str) -> Iterator[None]:
    """Wait for the other test processes of this run that use something of which there is one."""
    base = folders.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # that all of them have
    with (folder / f"{name}.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that all tests share: that of `REDIS_URL`, or a private one's."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def redis_alone(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the Redis that all tests share, for one test at a time: one whose names others use, too."""
    with exclusive(tmp_path_factory, "redis"):
        yield redis_url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Makes and starts private Redis servers: `redis_server("--maxmemory", "10mb", lasting=True)`."""
    servers: list[RedisServer] = []

    def make(*arguments: str, lasting: bool = False) -> RedisServer:
        server = RedisServer(tmp_path / f"redis-{len(servers)}", *arguments, lasting=lasting)
        servers.append(server)
        server.start()
        return server

    yield make
    stop_all(servers)


@pytest.fixture
def redis_sentinel(tmp_path: Path) -> Iterator[Callable[..., RedisSentinel]]:
    """Starts a sentinel over the master at a port: `redis_sentinel(master.port, "--requirepass", "secret")`."""
    sentinels: list[RedisSentinel] = []

    def make(master: int, *arguments: str) -> RedisSentinel:
        sentinel = RedisSentinel(tmp_path / f"sentinel-{len(sentinels)}", master, *arguments)
        sentinels.append(sentinel)
        sentinel.start()
        return sentinel

    yield make
    stop_all(sentinels)


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A cluster that all tests share, and that whoever breaks it brings back."""
    cluster = RedisCluster(tmp_path_factory.mktemp("redis-cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for servers on this machine."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
