"""Messages between the supervisor and one worker: JSON objects, one a line, on a socket that both have an end of.

When one side is gone the other reads the end of the stream; that is how a worker notices that its supervisor was
killed, and needs no time limit to do so.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    import socket

__all__ = ["Channel"]

_MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024  # the largest is the settings: an environment
_MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024  # of messages to one that does not read any more


class Channel:
    """One end of the connection between a supervisor and a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over one end of a socket pair."""
        return cls(*await asyncio.open_connection(sock=end, limit=_MAX_MESSAGE_BYTES))

    def send(self, **message: Any) -> None:
        """Send a message without waiting; nothing happens when the other side is gone or has long stopped reading."""
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() < _MAX_UNSENT_BYTES:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or ``None`` when the other side is gone."""
        try:
            line = await self._reader.readline()
        except (OSError, ValueError):  # ValueError: a line that is too long
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message

    async def close(self) -> None:
        """Send what is left and close this end."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the other side was faster
