"""HTTP in tests: requests to the guest, and answers to the requests that the guest makes. No network is touched.

::

    async def test_the_weather_is_fetched_once(guest):
        guest.http.on("GET", "https://weather.example/today", json={"sun": True})
        response = await guest.get("/")
        assert response.text == "take your hat"
        assert [sent.url for sent in guest.http.requests] == ["https://weather.example/today"]
"""

from __future__ import annotations

import asyncio
import inspect
import json as json_module
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from qwasr.testing.fakes import FakeBackend
from qwasr.values import Variant
from qwasr_http.codes import HttpError
from qwasr_http.protocol import FixedResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from qwasr.testing.clock import Clock
    from qwasr_http.in_process import InProcessServer, Response
    from qwasr_http.protocol import ClientRequest, ClientResponse

__all__ = ["FakeHttp", "Sent"]

_log = logging.getLogger("qwasr.http")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that the guest made.

    Attributes:
        method: as the guest wrote it.
        url: scheme, host, path and query.
        headers: names in lower case; of several with one name the last.
        body: the whole body.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text in UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """Return what the body says in JSON."""
        return json_module.loads(self.body)


@dataclass(slots=True)
class _Stub:
    method: str
    url: str
    times: int | None
    answer: Callable[[Sent], ClientResponse | Awaitable[ClientResponse]]

    def meets(self, sent: Sent) -> bool:
        """Say whether it answers this request, and count it."""
        if self.times == 0 or self.method not in ("*", sent.method):
            return False
        if self.url != sent.url and not (self.url.endswith("*") and sent.url.startswith(self.url[:-1])):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class FakeHttp(FakeBackend):
    """The rest of the world as a guest meets it: who asks it, and whom it asks.

    Attributes:
        requests: the guest's own requests so far, the oldest first.
        server: what serves the guest; the test kit sets it.
    """

    provides: ClassVar[tuple[str, ...]] = ("http",)

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.requests: list[Sent] = []
        self.server: InProcessServer | None = None
        self._stubs: list[_Stub] = []

    # ------------------------------------------------------------------ whom the guest asks

    def on(
        self,
        method: str,
        url: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        json: Any = None,
        answer: Callable[[Sent], ClientResponse | Awaitable[ClientResponse]] | None = None,
        times: int | None = None,
    ) -> None:
        """Answer requests of the guest. Without an answer its requests fail with `destination-not-found`.

        Args:
            method: ``"*"`` for any.
            url: scheme, host, path and query; what begins so when it ends with ``*``. The first that fits answers.
            status: the response's status.
            headers: its headers.
            body: its body.
            json: its body as JSON; with the content type of that.
            answer: a function of the request that returns the response, `qwasr_http.protocol.FixedResponse` for
                example, or raises `qwasr_http.codes.HttpError`; instead of the others.
            times: how many requests are answered so, ``None`` for all.
        """
        fields = dict(headers or {})
        data = body.encode() if isinstance(body, str) else body
        if json is not None:
            data = json_module.dumps(json).encode()
            fields.setdefault("content-type", "application/json")
        raw = [(name, value.encode("latin-1")) for name, value in fields.items()]
        self._stubs.append(_Stub(method, url, times, answer or (lambda _sent: FixedResponse(status, raw, data))))

    def reset(self) -> None:
        """Forget the requests, the answers, and what shall happen to further requests."""
        super().reset()
        self.requests.clear()
        self._stubs.clear()

    async def send(self, request: ClientRequest) -> ClientResponse:
        """Wait for the whole body, then answer."""
        body = b"" if request.body is None else b"".join([piece async for piece in request.body])
        headers = {name.lower(): value.decode("latin-1") for name, value in request.headers}
        sent = Sent(request.method, f"{request.scheme}://{request.authority}{request.path_with_query}", headers, body)
        self.requests.append(sent)
        await self.step("send", sent.method, sent.url)
        stub = next((stub for stub in self._stubs if stub.meets(sent)), None)
        if stub is None:
            _log.warning(
                "the guest asks for %s %s, and the test has no answer: guest.http.on(…)", sent.method, sent.url
            )
            raise HttpError(Variant("destination-not-found"))
        response = stub.answer(sent)
        return await response if inspect.isawaitable(response) else response

    # ------------------------------------------------------------------ who asks the guest

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        json: Any = None,
        timeout_s: float = 30.0,
    ) -> Response:
        """Send a request to the guest and return its whole response.

        Args:
            method: the method.
            path: path and query, percent-encoded.
            params: further parameters of the query, which are encoded here.
            headers: the headers; ``host``, ``content-length`` and ``connection: close`` are added.
            body: the body.
            json: the body as JSON.
            timeout_s: how long the whole response may take, in seconds.

        Raises:
            BrokenResponse: the guest failed after it had begun to answer. Before, its failure is a response with
                status 500, and its traceback in the log.
            TimeoutError: the response took longer.
        """
        from qwasr_http.in_process import request_bytes

        if self.server is None:
            message = "the guest does not export wasi:http/incoming-handler, so nobody can send it a request"
            raise RuntimeError(message)
        data = request_bytes(method, path, params=params, headers=headers, body=body, json_=json)
        async with asyncio.timeout(timeout_s):
            return await self.server.exchange(data, method)

    async def get(self, path: str, **more: Any) -> Response:
        """Send a GET; see `request`."""
        return await self.request("GET", path, **more)

    async def head(self, path: str, **more: Any) -> Response:
        """Send a HEAD; see `request`."""
        return await self.request("HEAD", path, **more)

    async def post(self, path: str, **more: Any) -> Response:
        """Send a POST; see `request`."""
        return await self.request("POST", path, **more)

    async def put(self, path: str, **more: Any) -> Response:
        """Send a PUT; see `request`."""
        return await self.request("PUT", path, **more)

    async def patch(self, path: str, **more: Any) -> Response:
        """Send a PATCH; see `request`."""
        return await self.request("PATCH", path, **more)

    async def delete(self, path: str, **more: Any) -> Response:
        """Send a DELETE; see `request`."""
        return await self.request("DELETE", path, **more)
