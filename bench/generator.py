"""Our own load generator, for where `wrk` is not installed: ``python -m bench.generator PORT CONNECTIONS SECONDS``.

Each connection sends a request, reads the whole response, and sends the next. It prints JSON: requests a second,
latencies in milliseconds, failures. In Python, it can ask for some 30 000 responses a second at most.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

from bench.timing import percentile

_REQUEST: Final = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_LENGTH: Final = b"content-length:"


class _Client(asyncio.Protocol):
    """One connection; latencies of all of them go to the same list, in seconds."""

    def __init__(self, latencies: list[float], failures: list[str]) -> None:
        self._latencies = latencies
        self._failures = failures
        self._buffer = b""
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport
        self._ask()

    def _ask(self) -> None:
        if self._transport is not None:
            self._began = time.perf_counter()
            self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _complete(self._buffer):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._failures.append("status")
        self._buffer = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._failures.append("connection lost")
        self._transport = None

    def close(self) -> None:
        """End the connection; a request under way does not count."""
        if self._transport is not None:
            self._transport.close()


def _complete(data: bytes) -> bool:
    end = data.find(_HEAD_END)
    if end < 0:
        return False
    head = data[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return data.endswith(_LAST_CHUNK)
    length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
    return len(data) >= end + len(_HEAD_END) + length


async def _generate(port: int, connections: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failures: list[str] = []
    began = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: _Client(latencies, failures), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    took_s = time.perf_counter() - began
    for client in clients:
        client.close()
    if not latencies:
        sys.exit("no request was answered")
    return {
        "requests": len(latencies),
        "per_s": len(latencies) / took_s,
        "p50_ms": percentile(latencies, 50) * 1000,
        "p99_ms": percentile(latencies, 99) * 1000,
        "failures": len(failures),
    }


def main() -> None:
    """Generate load as the arguments say, and print what came of it."""
    port, connections, seconds = sys.argv[1:]
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    print(json.dumps(run(_generate(int(port), int(connections), float(seconds)))))


if __name__ == "__main__":
    main()
