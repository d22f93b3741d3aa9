"""Redis: a server, sentinels that watch over some, a cluster."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.services.certificates import Certificates
from tests.services.private import START_S, PrivateServer
from tests.services.programs import need
from tools.ports import free_port

INSTALL: Final = "apt-get install redis-server, or set REDIS_URL to one that runs"
_TIMEOUT_S: Final = 3.0
_POLL_S: Final = 0.05
_SLOTS: Final = 16384
_ANSWERS: Final = (b"+PONG", b"-NOAUTH", b"-NOPERM")


class RedisServer(PrivateServer):
    """A Redis process.

    Args:
        folder: where it keeps its data.
        arguments: further arguments of `redis-server`, a list for each setting: `["--maxmemory", "10mb"]`.
        lasting: whether what it acknowledged survives being killed.

    Attributes:
        port: where it listens on 127.0.0.1, the same after each start.
        url: its address.
    """

    def __init__(self, folder: Path, *arguments: str, lasting: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if lasting else ["--appendonly", "no"]
        command = [need("redis-server", INSTALL), *self._first_arguments(folder)]
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        super().__init__([*command, *common, *kept, *arguments], folder, self._answers)

    def _first_arguments(self, folder: Path) -> list[str]:
        return []

    def ask(self, *words: str) -> bytes:
        """Send one command outside of any client library, and return the beginning of the raw answer."""
        parts = [word.encode() for word in words]
        command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self.port), _TIMEOUT_S) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.sendall(command)
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.ask("PING").startswith(_ANSWERS)
        except OSError:
            return False


class RedisSentinel(RedisServer):
    """A sentinel that decides alone, after a fraction of a second.

    Args:
        folder: where it keeps its configuration.
        master: the port of the master that it watches under the name `mymaster`.
        arguments: further arguments of the sentinel.
    """

    def __init__(self, folder: Path, master: int, *arguments: str) -> None:
        self._master = master
        super().__init__(folder, "--sentinel", *arguments)
        self.url = f"redis+sentinel://127.0.0.1:{self.port}/mymaster"

    def _first_arguments(self, folder: Path) -> list[str]:
        file = folder / "sentinel.conf"
        settings = ("down-after-milliseconds mymaster 300", "failover-timeout mymaster 2000")
        lines = [f"monitor mymaster 127.0.0.1 {self._master} 1", *settings]
        file.write_text("".join(f"sentinel {line}\n" for line in lines))
        return [str(file)]


class RedisCluster:
    """A cluster of masters.

    Args:
        folder: where they keep their data.
        size: how many there are.
        certificates: what they prove who they are with, where they speak TLS.

    Attributes:
        nodes: its servers.
        buses: the ports on which they talk to one another.
        url: its address.
    """

    def __init__(self, folder: Path, size: int = 3, certificates: Certificates | None = None) -> None:
        arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port"]
        self.buses = [free_port() for _ in range(size)]
        self.nodes: list[RedisServer] = []
        hosts: list[str] = []
        for number, bus in enumerate(self.buses):
            tls_port = free_port()
            tls = [*tls_arguments(certificates, tls_port), "--tls-cluster", "yes"] if certificates else []
            node = RedisServer(folder / str(number), *arguments, str(bus), *tls)
            self.nodes.append(node)
            hosts.append(f"127.0.0.1:{tls_port if certificates else node.port}")
        self.url = f"redis{'s' if certificates else ''}+cluster://{','.join(hosts)}"

    def start(self) -> None:
        """Start the nodes and share the slots out among them."""
        for node in self.nodes:
            node.start()
        ends = [_SLOTS * number // len(self.nodes) for number in range(len(self.nodes) + 1)]
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "ADDSLOTSRANGE", str(ends[number]), str(ends[number + 1] - 1))
            node.ask("CLUSTER", "MEET", "127.0.0.1", str(self.nodes[0].port), str(self.buses[0]))
        ends_s = time.monotonic() + START_S
        while not all(self._complete(node) for node in self.nodes):
            assert time.monotonic() < ends_s, "the cluster does not come together"
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the nodes."""
        for node in self.nodes:
            node.stop()

    def _complete(self, node: RedisServer) -> bool:
        known = node.ask("CLUSTER", "INFO")
        return b"cluster_state:ok" in known and b"cluster_known_nodes:%d" % len(self.nodes) in known


def tls_arguments(certificates: Certificates, port: int) -> list[str]:
    """Return what lets a server speak TLS at a port of its own, with clients that need no certificate."""
    files = {"cert": certificates.certificate, "key": certificates.key, "ca-cert": certificates.authority}
    arguments = [part for name, path in files.items() for part in (f"--tls-{name}-file", str(path))]
    return ["--tls-port", str(port), *arguments, "--tls-auth-clients", "no"]


def stop_all(servers: Sequence[PrivateServer]) -> None:
    """End servers, the newest first."""
    for server in reversed(servers):
        server.stop()
