"""Every kind of address leads to Redis: TLS, an ACL user, a Unix socket, sentinels, a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.crc import key_slot

from mik_backend_redis import Redis, RedisOptions
from qwasr.errors import BackendError
from qwasr_keyvalue import AccessDenied, Unavailable
from qwasr_keyvalue.compliance import KeyValueCompliance
from qwasr_keyvalue.compliance._buckets import all_keys
from qwasr_keyvalue.protocol import Change
from tests.services.certificates import Certificates
from tests.services.redis import RedisCluster, RedisSentinel, RedisServer, tls_arguments
from tools.ports import free_port

Servers = Callable[..., RedisServer]
BACK_IN_S = 5.0


class TestRedisCluster(KeyValueCompliance):
    @pytest.fixture
    async def backend(self, redis_cluster: RedisCluster) -> AsyncIterator[Redis]:
        redis = await Redis.connect(RedisOptions(url=redis_cluster.url))
        yield redis
        await redis.close()


async def connected(url: str, **options: object) -> Redis:
    patient: dict[str, object] = {"connect_timeout_s": 0.5, "timeout_s": 5.0}  # whatever else the machine does
    redis = await Redis.connect(RedisOptions(url=url, **patient | options))  # type: ignore[arg-type]  # tests name what they set
    bucket = await redis.open_bucket("b")
    await bucket.set("key", b"value")
    assert await bucket.get("key") == b"value"
    return redis


async def works_within(redis: Redis, bucket: str, limit_s: float) -> None:
    began_s = time.monotonic()
    entries = await redis.open_bucket(bucket)
    while True:
        try:
            await entries.set("key", b"value")
        except Unavailable:
            assert time.monotonic() - began_s < limit_s
            await asyncio.sleep(0.02)
        else:
            return


@pytest.fixture
def tls_port(redis_server: Servers, certificates: Certificates) -> int:
    port = free_port()
    files = ("--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key)
    authority = ("--tls-ca-cert-file", certificates.authority)
    redis_server("--tls-port", str(port), *map(str, (*files, *authority)))  # which asks clients for a certificate
    return port


async def test_tls_with_an_authority_and_a_certificate_of_our_own(tls_port: int, certificates: Certificates) -> None:
    files = {"tls_ca": certificates.authority, "tls_cert": certificates.certificate, "tls_key": certificates.key}
    redis = await connected(f"rediss://localhost:{tls_port}", **files)
    await redis.close()


async def test_a_certificate_for_another_host_is_refused(redis_server: Servers, certificates: Certificates) -> None:
    port = free_port()
    redis_server(*tls_arguments(certificates, port))
    redis = await connected(f"rediss://127.0.0.1:{port}", tls_ca=certificates.authority)
    await redis.close()
    with pytest.raises(BackendError, match="its certificate is for another host"):
        await connected(f"rediss://127.1:{port}", tls_ca=certificates.authority)  # the same place by another name


async def test_tls_to_sentinels_and_to_the_master(
    redis_server: Servers, redis_sentinel: Callable[..., RedisSentinel], certificates: Certificates
) -> None:
    master_port, sentinel_port = free_port(), free_port()
    redis_server(*tls_arguments(certificates, master_port))
    redis_sentinel(master_port, *tls_arguments(certificates, sentinel_port), "--tls-replication", "yes")
    url = f"rediss+sentinel://localhost:{sentinel_port}/mymaster"
    redis = await connected(url, tls_ca=certificates.authority, timeout_s=5)
    await redis.close()
    with pytest.raises(BackendError):
        await connected(url)


async def test_tls_to_a_cluster(tmp_path: Path, certificates: Certificates) -> None:
    cluster = RedisCluster(tmp_path / "cluster", certificates=certificates)
    try:
        await asyncio.to_thread(cluster.start)
        redis = await connected(cluster.url, tls_ca=certificates.authority, timeout_s=5)
        for name in "abcdefgh":
            bucket = await redis.open_bucket(name)
            assert await bucket.increment("counter", 1) == 1
            assert await all_keys(bucket) == ["counter"] or name == "b"
        await redis.close()
        with pytest.raises(BackendError, match=r"not trusted; REDIS_TLS_CA"):
            await connected(cluster.url)
    finally:
        cluster.stop()


async def test_sentinels_with_a_user_of_their_own(
    redis_server: Servers, redis_sentinel: Callable[..., RedisSentinel]
) -> None:
    master = redis_server()
    users = ["--requirepass", "other", "--user", "ada", "on", ">watch", "~*", "&*", "+@all"]
    sentinel = redis_sentinel(master.port, *users)
    redis = await connected(sentinel.url, sentinel_username="ada", sentinel_password="watch")
    await redis.close()
    redis = await connected(sentinel.url, sentinel_password="other")
    await redis.close()
    for wrong in ({}, {"sentinel_password": "wrong-secret"}):
        with pytest.raises(BackendError) as caught:
            await connected(sentinel.url, **wrong)
        assert "secret" not in str(caught.value)


async def test_a_server_of_an_authority_that_is_not_trusted_is_refused(tls_port: int) -> None:
    with pytest.raises(BackendError, match=r"not trusted; REDIS_TLS_CA"):
        await connected(f"rediss://localhost:{tls_port}")


async def test_tls_to_a_server_without_it_is_an_error_that_says_so(redis_server: Servers) -> None:
    with pytest.raises(BackendError, match=r"TLS fails|ends connections|not answer in time"):
        await connected(f"rediss://127.0.0.1:{redis_server().port}")


async def test_an_acl_user_by_url_and_by_variables(redis_server: Servers) -> None:
    server = redis_server("--requirepass", "other")
    server.ask("AUTH", "other")
    admin = await Redis.connect(RedisOptions(url=server.url, password="other"))
    await admin.call("ACL", "SETUSER", "ada", "on", ">p@ss/word", "~b:*", "+@all")
    for url, options in (
        (f"redis://ada:p%40ss%2Fword@127.0.0.1:{server.port}", {}),
        (server.url, {"username": "ada", "password": "p@ss/word"}),
    ):
        redis = await connected(url, **options)
        with pytest.raises(AccessDenied, match="this bucket or key"):
            await (await redis.open_bucket("elsewhere")).get("key")
        with pytest.raises(AccessDenied):
            await (await redis.open_bucket("elsewhere")).swap("key", b"", await redis_snapshot(admin))
        await redis.close()
    await admin.close()


async def test_the_rights_that_the_readme_names_are_enough(redis_server: Servers) -> None:
    server = redis_server("--notify-keyspace-events", "Kg$xe")
    rights = ["~b:*", "+@read", "+@write", "+@scripting", "+ping", "+config|get"]
    rights += ["+publish", "+subscribe", "+psubscribe", "&__keyspace@0__:*", "&qwasr-watch", "~qwasr-watch/*"]
    server.ask("ACL", "SETUSER", "ada", "on", ">secret", "resetchannels", *rights)
    redis = await connected(f"redis://ada:secret@127.0.0.1:{server.port}", watch=True)
    bucket = await redis.open_bucket("b")
    assert await bucket.increment("counter", 1) == 1
    assert await bucket.swap("key", b"new", await bucket.snapshot("key")) is None
    assert await bucket.expire("key", None) is True
    assert sorted((await bucket.list_keys()).keys) == ["counter", "key"]
    await bucket.set_many([("a", b"1")])
    assert await bucket.get_many(["a", "key"]) == [b"1", b"new"]
    await bucket.delete_many(["a", "key"])
    changes = redis.changes("us")
    assert changes is not None

    async def first() -> Change:
        return await anext(changes)

    hearing = asyncio.create_task(first())
    async with asyncio.timeout(5):
        while not hearing.done():
            server.ask("SET", "b:theirs", "")
            await asyncio.sleep(0.02)
    assert hearing.result() == Change("b", "theirs", deleted=False)
    await redis.close()
    assert await anext(changes, None) is None


async def redis_snapshot(redis: Redis):  # type: ignore[no-untyped-def]
    return await (await redis.open_bucket("elsewhere")).snapshot("key")


async def test_a_unix_socket_and_another_database(redis_server: Servers, tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    server = redis_server("--unixsocket", str(socket))
    redis = await connected(f"redis+unix://{socket}?db=3")
    await redis.close()
    redis = await connected(f"{server.url}/3")
    assert await (await redis.open_bucket("b")).exists("key")
    await redis.close()


async def test_a_database_that_is_not_there_is_an_error_that_says_so(redis_server: Servers) -> None:
    with pytest.raises(BackendError, match="no database of that number"):
        await connected(f"{redis_server().url}/99")


async def test_sentinels_lead_to_the_new_master_when_the_old_one_dies(
    redis_server: Servers, redis_sentinel: Callable[..., RedisSentinel]
) -> None:
    master = redis_server()
    replica = redis_server("--replicaof", "127.0.0.1", str(master.port))
    sentinel = redis_sentinel(master.port)
    async with asyncio.timeout(20):
        while b"127.0.0.1:%d" % replica.port not in sentinel.ask("SENTINEL", "REPLICAS", "mymaster"):  # noqa: ASYNC110 - asked
            await asyncio.sleep(0.05)  # it learns of replicas from the master
    host = f"127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}"  # the first one is away
    redis = await connected(f"redis+sentinel://{host}/mymaster")
    master.kill()
    with pytest.raises(Unavailable):
        await (await redis.open_bucket("b")).set("key", b"lost")
    await works_within(redis, "b", 20)  # how long sentinels take to agree is theirs
    assert b"role:master" in replica.ask("INFO", "replication")
    await redis.close()


async def test_a_master_that_the_sentinels_do_not_know_is_an_error_that_says_so(
    redis_server: Servers, redis_sentinel: Callable[..., RedisSentinel]
) -> None:
    sentinel = redis_sentinel(redis_server().port)
    with pytest.raises(BackendError, match="no sentinel that answers knows a master of that name"):
        await connected(f"redis+sentinel://127.0.0.1:{sentinel.port}/othermaster")


async def test_a_cluster_keeps_a_bucket_on_one_node_and_batches_work(redis_cluster: RedisCluster) -> None:
    redis = await Redis.connect(RedisOptions(url=redis_cluster.url))
    names = [f"{secrets.token_hex(4)}-{number}" for number in range(12)] + [""]
    for name in names:
        bucket = await redis.open_bucket(name)
        await bucket.set_many([(f"key-{number}", b"%d" % number) for number in range(50)])
        assert await bucket.get_many(["key-7", "missing"]) == [b"7", None]
    sizes = [int(node.ask("DBSIZE")[1:]) for node in redis_cluster.nodes]
    assert all(sizes), "every bucket is on the same node"
    for name in names:
        await (await redis.open_bucket(name)).delete_many([f"key-{number}" for number in range(50)])
    await redis.close()


async def test_a_node_of_a_cluster_that_is_started_again_is_used_again(redis_cluster: RedisCluster) -> None:
    redis = await Redis.connect(RedisOptions(url=redis_cluster.url))
    names = [f"{secrets.token_hex(4)}-{number}" for number in range(12)]
    for name in names:
        await works_within(redis, name, 20)
    node = redis_cluster.nodes[1]
    node.kill()
    failures = 0
    for name in names:
        began_s = time.monotonic()
        try:
            await (await redis.open_bucket(name)).increment("counter", 1)
        except Unavailable:
            failures += 1
        assert time.monotonic() - began_s <= 3  # 0.75 s, on a machine that has nothing else to do
    assert failures
    await asyncio.to_thread(node.start)
    began_s = time.monotonic()
    for name in names:
        await works_within(redis, name, BACK_IN_S)
    assert time.monotonic() - began_s < BACK_IN_S
    await redis.close()


async def test_changes_on_every_node_of_a_cluster_are_heard(redis_cluster: RedisCluster) -> None:
    redis = await Redis.connect(RedisOptions(url=redis_cluster.url, watch=True))
    other = await Redis.connect(RedisOptions(url=redis_cluster.url))
    names = {f"{secrets.token_hex(4)}-{number}" for number in range(12)}
    heard: set[str] = set()

    async def hear() -> None:
        changes = redis.changes("us")
        assert changes is not None
        async for change in changes:
            assert change == Change(change.bucket, "key", deleted=False)
            heard.add(change.bucket)

    task = asyncio.create_task(hear())
    async with asyncio.timeout(5):
        while heard != names:
            for name in names - heard:
                await (await other.open_bucket(name)).set("key", b"")
            await asyncio.sleep(0.02)
    await redis.close()
    await task
    await other.close()


def owner(cluster: RedisCluster, slot: int) -> RedisServer:
    """The node that answers for a slot; a key of it has to be there."""
    return next(
        node for node in cluster.nodes if not node.ask("CLUSTER", "COUNTKEYSINSLOT", str(slot)).startswith(b":0")
    )


def move(nodes: list[RedisServer], slot: int, source: RedisServer, target: RedisServer, *keys: str) -> None:
    """Give a slot with these keys to another node."""
    source_id, target_id = (node.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode() for node in (source, target))
    assert target.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", source_id) == b"+OK\r\n"
    assert source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", target_id) == b"+OK\r\n"
    if keys:
        assert source.ask("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *keys) == b"+OK\r\n"
    for node in (target, source, *nodes):
        assert node.ask("CLUSTER", "SETSLOT", str(slot), "NODE", target_id) == b"+OK\r\n"


async def test_a_bucket_that_moved_to_another_node_is_listed_whole_by_who_did_not_hear_of_it(tmp_path: Path) -> None:
    cluster = RedisCluster(tmp_path / "cluster", size=2)  # no other test harms it
    try:
        await asyncio.to_thread(cluster.start)
        writer, reader = [await Redis.connect(RedisOptions(url=cluster.url, timeout_s=10)) for _ in range(2)]
        name, keys = secrets.token_hex(8), [f"key-{number}" for number in range(50)]
        await (await writer.open_bucket(name)).set_many([(key, b"") for key in keys])
        bucket = await reader.open_bucket(name)
        assert sorted(await all_keys(bucket)) == sorted(keys)
        slot = key_slot(name.encode())
        source = owner(cluster, slot)
        target = next(node for node in cluster.nodes if node is not source)
        move(cluster.nodes, slot, source, target, *(f"{{{name}}}:{key}" for key in keys))
        assert sorted(await all_keys(bucket)) == sorted(keys)
        await writer.close()
        await reader.close()
    finally:
        cluster.stop()


async def test_a_node_that_joins_a_cluster_later_is_listened_to(tmp_path: Path) -> None:
    cluster, later = RedisCluster(tmp_path / "cluster", size=1), RedisCluster(tmp_path / "later", size=1)
    try:
        await asyncio.to_thread(cluster.start)
        redis = await Redis.connect(RedisOptions(url=cluster.url, watch=True))
        changes = redis.changes("us")
        assert changes is not None
        heard: set[Change] = set()

        async def hear() -> None:
            async for change in changes:
                heard.add(change)

        task = asyncio.create_task(hear())
        (old,), (new,) = cluster.nodes, later.nodes
        new.start()
        assert new.ask("CLUSTER", "MEET", "127.0.0.1", str(old.port), str(cluster.buses[0])) == b"+OK\r\n"
        async with asyncio.timeout(30):
            while not all(b"cluster_known_nodes:2" in node.ask("CLUSTER", "INFO") for node in (old, new)):  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.05)
            while b"handshake" in old.ask("CLUSTER", "NODES") + new.ask("CLUSTER", "NODES"):  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.05)
            move([old, new], key_slot(b"moved"), old, new)
            while Change("moved", "key", deleted=False) not in heard:
                new.ask("SET", "{moved}:key", "")
                await asyncio.sleep(0.05)
        await redis.close()
        await task
    finally:
        cluster.stop()
        later.stop()


async def test_the_address_of_one_server_that_is_a_node_of_a_cluster_is_an_error_that_says_so(
    redis_cluster: RedisCluster,
) -> None:
    with pytest.raises(BackendError, match=r"a node of a cluster; write redis\+cluster://"):
        await connected(redis_cluster.nodes[0].url)


async def test_a_server_that_becomes_a_node_of_a_cluster_is_unavailable(redis_cluster: RedisCluster) -> None:
    redis = Redis(RedisOptions(url=redis_cluster.nodes[0].url))
    for name in "abcdefgh":
        with contextlib.suppress(Unavailable):  # where the key is at home
            await (await redis.open_bucket(name)).get("key")
    with pytest.raises(BackendError, match="a node of a cluster"):
        await redis.check()
    await redis.close()


async def test_the_address_of_a_cluster_that_is_one_server_is_an_error_that_says_so(redis_server: Servers) -> None:
    with pytest.raises(BackendError, match=r"no cluster; write redis://"):
        await connected(f"redis+cluster://127.0.0.1:{redis_server().port}")
