"""A port for a server that has to know its own before it listens."""

from __future__ import annotations

import random
import socket
from typing import Final

__all__ = ["free_port"]

# Below what systems hand out by themselves: a client of another test that runs at the same time cannot get it first.
_PORTS: Final = range(15_000, 30_000)
_TRIES: Final = 100


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens now.

    Raises:
        OSError: none of a hundred was free.
    """
    for port in random.sample(_PORTS, _TRIES):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    message = f"no free port among {_TRIES} from {_PORTS.start} to {_PORTS.stop - 1}"
    raise OSError(message)
