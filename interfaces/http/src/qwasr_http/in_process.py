"""Requests of tests to a guest in the same process: the server's own code, and no address."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from qwasr_http.server import HttpServer, HttpServerOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message

__all__ = ["BrokenResponse", "InProcessServer", "Response", "request_bytes"]

_HEAD: Final = 65_536  # bytes of a request that are written before anything is read


@dataclass(frozen=True, slots=True)
class Response:
    """What a guest answered.

    Attributes:
        status: the status code.
        headers: by name, whatever its case; ``headers.get_all(name)`` where there may be several.
        body: the whole body.
    """

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, by the charset that its content type names, else UTF-8."""
        return self.body.decode(self.headers.get_content_charset("utf-8"))

    def json(self) -> Any:
        """Return what the body says in JSON."""
        return json.loads(self.body)


class BrokenResponse(Exception):
    """A response that was cut off: the guest failed after it had begun to answer.

    Attributes:
        response: what came of it.
    """

    def __init__(self, message: str, response: Response | None) -> None:
        super().__init__(message)
        self.response = response


class InProcessServer(HttpServer):
    """The server of `wasi:http/incoming-handler` without an address; tests call `exchange`."""

    def __init__(self, options: HttpServerOptions) -> None:
        super().__init__(replace(options, tls_cert=None, tls_key=None))
        self._addresses = ()

    def describe(self) -> str:
        """Return where it serves."""
        return "this process"

    async def exchange(self, data: bytes, method: str) -> Response:
        """Send a request and return the response.

        Args:
            data: the whole request; it asks for the connection to be closed.
            method: its method.

        Raises:
            BrokenResponse: the response is not whole.
        """
        if self._connections is None:
            message = "the guest's server does not run"
            raise RuntimeError(message)
        ours, theirs = socket.socketpair()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._connections, theirs)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        sending = asyncio.create_task(_send(writer, data))
        try:
            received = await reader.read()
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            writer.close()
        return _parse(received, method)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send the request as far as the server takes it: a guest may answer without having read everything."""
    with suppress(ConnectionError):
        for start in range(0, len(data), _HEAD):
            writer.write(data[start : start + _HEAD])
            await writer.drain()


class _Received(io.BytesIO):
    """Received bytes as `http.client` wants them: a socket, and a file that stays open."""

    def makefile(self, mode: str) -> _Received:
        return self

    def close(self) -> None:
        """Stay open: an informational response is followed by another one."""


def _parse(data: bytes, method: str) -> Response:
    file: Any = _Received(data)
    try:
        while True:
            received = http.client.HTTPResponse(file, method=method)
            received.begin()
            if received.status >= 200:
                break
    except http.client.HTTPException as error:
        message = f"the guest's response broke off in its head: {data[:200]!r}"
        raise BrokenResponse(message, None) from error
    try:
        body = received.read()
    except http.client.IncompleteRead as error:
        response = Response(received.status, received.headers, error.partial)
        message = f"the guest's response broke off after {len(error.partial)} bytes of its body"
        raise BrokenResponse(message, response) from None
    return Response(received.status, received.headers, body)


def request_bytes(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | str = b"",
    json_: Any = None,
) -> bytes:
    """Return a whole request; see `FakeHttp.request`.

    Raises:
        ValueError: the method, the path or a header would not be one line of a request.
    """
    fields = list(headers.items() if hasattr(headers, "items") else headers)
    given = {name.lower() for name, _ in fields}
    data = body.encode() if isinstance(body, str) else body
    if json_ is not None:
        data = json.dumps(json_).encode()
        if "content-type" not in given:
            fields.append(("content-type", "application/json"))
    if params:
        path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
    if data and not given & {"content-length", "transfer-encoding"}:
        fields.append(("content-length", str(len(data))))
    if "host" not in given:
        fields.insert(0, ("host", "localhost"))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "connection: close"]
    for word in (method, path):
        if not word.isascii() or not word.isprintable() or " " in word or not word:
            message = f"{word!r} cannot stand in a request line: percent-encode what is not plain ASCII"
            raise ValueError(message)
    if any("\r" in line or "\n" in line for line in lines):
        message = "a header cannot have more than one line"
        raise ValueError(message)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data
