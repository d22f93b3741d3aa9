"""A Python program that uses the standard library's `socket` as on any machine; its first argument says for what.

| arguments | what it does |
| --- | --- |
| `fetch HOST PORT` | sends a request to a TCP server, prints what comes back |
| `flood HOST PORT BYTES` | sends so many bytes and, at the same time, reads as many |
| `serve HOST PORT COUNT` | echoes for so many TCP clients, all at once, by `select` |
| `udp HOST PORT` | sends a datagram, prints the answer |
| `look-up NAME` | prints a name's addresses |
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - `socket` asks for it by name later, when there is no folder to load it from
import selectors
import socket
import sys
from collections.abc import Callable
from typing import cast

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import environment


class Run(exports.Run):
    """What `qwasr run` calls."""

    def run(self) -> None:
        """Does what the arguments say; a failure is printed, and is the exit code 1."""
        _, task, *arguments = environment.get_arguments()
        try:
            TASKS[task](*arguments)
        except OSError as error:
            print(f"{type(error).__name__}: {error}")
            sys.stdout.flush()
            raise Err(None) from None
        sys.stdout.flush()


def fetch(host: str, port: str) -> None:
    """A request and its response."""
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"hello from inside\n")
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(4096):
            print(piece.decode(), end="")


def flood(host: str, port: str, count: str) -> None:
    """Many bytes both ways at once over one connection that does not block."""
    to_send, to_read, checksum = int(count), int(count), 0
    with socket.create_connection((host, int(port))) as connection, selectors.DefaultSelector() as selector:
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while to_read:
            for _, events in selector.select():
                if events & selectors.EVENT_WRITE and to_send:
                    to_send -= connection.send(b"\x01" * min(to_send, 65536))
                    if not to_send:
                        selector.modify(connection, selectors.EVENT_READ)
                if events & selectors.EVENT_READ:
                    piece = connection.recv(65536)
                    if not piece:
                        raise EOFError
                    checksum += sum(piece)
                    to_read -= len(piece)
    print(checksum)


def serve(host: str, port: str, count: str) -> None:
    """An echo server of one thread."""
    with socket.create_server((host, int(port))) as server, selectors.DefaultSelector() as selector:
        server.setblocking(False)
        print(f"listening on {server.getsockname()[1]}")
        sys.stdout.flush()
        selector.register(server, selectors.EVENT_READ)
        left = int(count)
        while left:
            for key, _ in selector.select():
                if key.fileobj is server:
                    client, _ = server.accept()
                    client.setblocking(True)
                    selector.register(client, selectors.EVENT_READ)
                    continue
                peer = cast("socket.socket", key.fileobj)
                piece = peer.recv(65536)
                peer.sendall(piece)
                if not piece:
                    selector.unregister(peer)
                    peer.close()
                    left -= 1


def udp(host: str, port: str) -> None:
    """A datagram and its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.sendto(b"ping", (host, int(port)))
        answer, sender = connection.recvfrom(100)
        print(answer.decode(), sender[1])


def look_up(name: str) -> None:
    """All addresses of a name."""
    for address in sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)}):
        print(address)


TASKS: dict[str, Callable[..., None]] = {"fetch": fetch, "flood": flood, "serve": serve, "udp": udp, "look-up": look_up}
