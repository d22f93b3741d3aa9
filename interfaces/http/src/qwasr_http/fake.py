"""A backend of `http` for tests: a function answers the guest's requests, and no network is touched.

::

    async def answer(request, body):
        return FixedResponse(200, [("content-type", b"text/plain")], b"hello " + body)

    async with Runtime("app.wasm", backends={"http": FakeClient(answer)}) as runtime: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from qwasr.options import ConnectOptions
from qwasr.values import Variant
from qwasr_http.codes import HttpError
from qwasr_http.protocol import FixedResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr_http.protocol import ClientRequest, ClientResponse

__all__ = ["FakeClient"]


class FakeClient:
    """Answers with what a function returns.

    Args:
        answer: gets the request and its whole body; it returns a response or raises `HttpError`. Without it every
            destination is unknown.

    Attributes:
        requests: every request so far with its body, oldest first.
    """

    name: ClassVar[str] = "fake"
    provides: ClassVar[tuple[str, ...]] = ("http",)
    schemes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[ConnectOptions]] = ConnectOptions

    def __init__(self, answer: Callable[[ClientRequest, bytes], Awaitable[ClientResponse]] | None = None) -> None:
        self._answer = answer or _unknown
        self.requests: list[tuple[ClientRequest, bytes]] = []

    @classmethod
    async def connect(cls, options: ConnectOptions) -> Self:
        """Return a client that knows no destination."""
        return cls()

    async def check(self) -> None:
        """Return: it is always usable."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, request: ClientRequest) -> ClientResponse:
        """Wait for the whole body, then ask the function."""
        body = b"" if request.body is None else b"".join([piece async for piece in request.body])
        self.requests.append((request, body))
        return await self._answer(request, body)


async def _unknown(request: ClientRequest, body: bytes) -> FixedResponse:
    raise HttpError(Variant("destination-not-found"))
