"""Requests and responses through real guests: what arrives, and in what form it is answered."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import until_running
from qwasr.telemetry import Telemetry
from qwasr.values import Ok, WitError
from qwasr_http.fields import Fields
from qwasr_http.incoming import ResponseOutparam
from qwasr_http.messages import OutgoingResponse
from qwasr_http.server import HttpServer, HttpServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from interfaces.http.tests.conftest import Connect, Serve
    from qwasr_http.incoming import IncomingRequest

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def hello(text: str = "hello") -> bytes:
    return guests.guest(guests.HELLO, text=text)


async def test_a_small_response_is_sent_with_its_length(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-length"] == "5"
    assert "date" in answer.headers


@pytest.mark.parametrize("version", ["0.2.0", "0.2.3", "0.2.9", "0.2.12"])
async def test_every_patch_version_of_the_interface_is_served(serve: Serve, connect: Connect, version: str) -> None:
    client = await connect(await serve(guests.guest(guests.HELLO, text="hello", version=version)))
    await client.send(GET)
    assert (await client.answer()).body == b"hello"


async def test_the_connection_is_used_again(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    for _ in range(3):
        await client.send(GET)
        assert (await client.answer()).body == b"hello"


async def test_pipelined_requests_are_answered_in_order(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.PATH)))
    await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: here\r\n\r\n" % number for number in range(40)))
    assert [(await client.answer()).body for _ in range(40)] == [b"/%d" % number for number in range(40)]


async def test_a_body_of_a_known_length_is_echoed(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO)))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nhello world")
    assert (await client.answer()).body == b"hello world"


async def test_a_chunked_body_is_echoed(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO)))
    await client.send(
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )
    assert (await client.answer()).body == b"hello world"


async def test_a_body_streams_in_and_out_at_the_same_time(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO)))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    status, _ = await client.head()
    assert status == 200
    for number in range(3):
        await client.send(b"4\r\nab%02d\r\n" % number)
        assert await client.reader.readexactly(9) == b"4\r\nab%02d\r\n" % number
    await client.send(b"0\r\n\r\n")
    assert await client.reader.readexactly(5) == b"0\r\n\r\n"


async def test_ten_megabytes_pass_through(serve: Serve) -> None:
    server = await serve(guests.guest(guests.ECHO), QWASR_HTTP_MAX_BODY_BYTES="20000000")
    data = bytes(range(256)) * 4096 * 10
    async with aiohttp.ClientSession() as session, session.post(server.describe(), data=io.BytesIO(data)) as response:
        assert await response.read() == data


async def test_the_response_may_begin_long_before_it_ends(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ASKED_TWICE, first="first", second="second")))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\n")
    status, fields = await client.head()
    assert await client.reader.readexactly(10) == b"5\r\nfirst\r\n"
    assert status == 200
    assert ("transfer-encoding", "chunked") in fields
    await client.send(b"!")  # what the guest waits for
    assert await client.reader.readexactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_the_guest_may_answer_before_the_request_is_complete(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ANSWER_THEN_ECHO, text="got it: ")))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n")
    status, _ = await client.head()
    assert status == 200
    assert await client.reader.readexactly(13) == b"8\r\ngot it: \r\n"
    await client.send(b"body")
    assert await client.reader.readexactly(14) == b"4\r\nbody\r\n0\r\n\r\n"


async def test_an_answer_that_ignores_the_body_leaves_the_connection_usable(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 100000\r\n\r\n")
    assert (await client.answer()).body == b"hello"
    await client.send(bytes(100000) + GET)
    assert (await client.answer()).body == b"hello"


async def test_a_slow_reader_stops_the_guest_and_gets_everything(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.FLOOD)))
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    await asyncio.sleep(0.2)
    assert len((await client.answer()).body) == 16 * 1024 * 1024


async def test_head_has_the_headers_of_the_response_and_no_body(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    await client.send(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n" + GET)
    answer = await client.answer(bodyless=True)
    assert answer.headers["content-length"] == "5"
    assert (await client.answer()).body == b"hello"


async def test_a_response_without_content_has_no_body_and_no_length(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.STATUS)))
    await client.send(GET * 2)
    for _ in range(2):
        answer = await client.answer()
        assert answer.status == 204
        assert "content-length" not in answer.headers
        assert "transfer-encoding" not in answer.headers


async def test_a_response_whose_body_was_never_taken_is_empty(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.EMPTY)))
    await client.send(GET)
    assert (await client.answer()).headers["content-length"] == "0"


async def test_the_path_arrives_exactly_as_it_was_sent(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.PATH)))
    for path in (b"/", b"/a%2Fb/../c//d?x=%20+&y", b"/?", b"/%zz", b"//double"):
        await client.send(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await client.answer()).body == path


async def test_the_absolute_form_is_taken_apart(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.PATH)))
    for target, path in ((b"http://x.test/a?b", b"/a?b"), (b"http://x.test", b"/"), (b"http://x.test?q", b"/?q")):
        await client.send(b"GET " + target + b" HTTP/1.1\r\nHost: other\r\n\r\n")
        assert (await client.answer()).body == path


async def test_the_authority_is_the_host_of_the_request(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.AUTHORITY)))
    await client.send(b"GET / HTTP/1.1\r\nHost: example.test:81\r\n\r\n")
    assert (await client.answer()).body == b"example.test:81"
    await client.send(b"GET http://x.test:82/ HTTP/1.1\r\nHost: example.test:81\r\n\r\n")
    assert (await client.answer()).body == b"x.test:82"


async def test_every_value_of_a_header_arrives_with_its_bytes(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.HEADER, name="X-Test", newline="\n")))
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nX-TEST: one\r\nx-test: \xff\xfe \r\nX-Test:\r\n\r\n")
    assert (await client.answer()).body == b"one\n\xff\xfe\n\n"


@pytest.mark.parametrize("name", ["connection", "keep-alive", "te", "x-hop", "host", "transfer-encoding"])
async def test_headers_for_one_connection_do_not_reach_the_guest(serve: Serve, connect: Connect, name: str) -> None:
    client = await connect(await serve(guests.guest(guests.HEADER, name=name, newline="\n")))
    hops = b"Connection: keep-alive, X-Hop\r\nKeep-Alive: 1\r\nTE: trailers\r\nX-Hop: 1\r\n"
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\n" + hops + b"\r\n")
    assert (await client.answer()).body == b""


async def test_cookies_stay_apart_and_names_keep_their_case(serve: Serve, connect: Connect) -> None:
    handle = """
      (local.set $d (call $fields))
      (call $append (local.get $d) %name %one (i32.const 16))
      (call $append (local.get $d) %name %two (i32.const 16))
      (call $answer (local.get $out) (call $response (local.get $d)))"""
    client = await connect(await serve(guests.guest(handle, name="Set-Cookie", one="a=1", two="b=2")))
    await client.send(GET)
    raw = await client.reader.readuntil(b"\r\n\r\n")
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in raw


async def test_a_guests_own_date_is_kept(serve: Serve, connect: Connect) -> None:
    handle, texts = guests.with_header("date", "Thu, 01 Jan 1970 00:00:00 GMT", guests.HELLO)
    client = await connect(await serve(guests.guest(handle, texts, text="hello")))
    await client.send(GET)
    assert [value for name, value in (await client.answer()).fields if name == "date"] == [texts["value"]]


async def test_a_length_that_the_guest_announces_is_sent_before_the_body(serve: Serve, connect: Connect) -> None:
    handle, texts = guests.with_header("content-length", "11", guests.EARLY)
    client = await connect(await serve(guests.guest(handle, texts, first="first", second="second")))
    await client.send(GET)
    answer = await client.answer()
    assert answer.headers["content-length"] == "11"
    assert answer.body == b"firstsecond"


async def test_http_1_0_gets_a_body_that_ends_with_the_connection(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.EARLY, first="first", second="second")))
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    answer = await client.answer()
    assert answer.body == b"firstsecond"
    assert "transfer-encoding" not in answer.headers


async def test_http_1_0_with_keep_alive_is_told_so(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    for _ in range(2):
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (await client.answer()).headers["connection"] == "keep-alive"


async def test_a_client_that_closes_is_told_that_the_server_closes(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert (await client.answer()).headers["connection"] == "close"
    assert await client.closed()


async def test_the_guest_may_work_on_after_its_response(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.WORKS_ON, text="hello"))
    client = await connect(server)
    await client.send(GET)
    assert (await client.answer()).body == b"hello"
    client.writer.close()
    await asyncio.sleep(0.1)
    assert server.running == 1
    await until_running(server, 0)


async def test_100_continue_is_sent_when_the_guest_reads(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO)))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"body")
    assert (await client.answer()).body == b"body"
    await client.send(GET)
    assert (await client.answer()).body == b""


async def test_a_guest_that_does_not_read_gets_no_body_sent(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert (await client.answer()).body == b"hello"
    assert await client.closed()


async def test_a_request_for_another_protocol_is_answered_in_this_one(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(hello()))
    for _ in range(2):
        await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await client.answer()).body == b"hello"


async def test_trailers_of_a_request_are_dropped(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO)))
    for _ in range(2):
        await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send(b"4\r\nbody\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert (await client.answer()).body == b"body"


async def test_informational_responses_precede_the_response(connect: Connect) -> None:
    def guest(request: IncomingRequest, out: ResponseOutparam) -> None:
        out.send_informational(103, Fields.from_list([("link", b"</a.css>")]))
        with pytest.raises(WitError):
            out.send_informational(200, Fields())
        ResponseOutparam.set(out, Ok(OutgoingResponse(Fields())))

    server = HttpServer(HttpServerOptions(addresses=("127.0.0.1:0",)))
    await server.start(PythonGuest(guest))  # type: ignore[arg-type]  # what the server needs of a guest
    client = await connect(server)
    await client.send(GET)
    assert await client.head() == (103, [("link", "</a.css>")])
    assert (await client.answer()).status == 200
    await server.close()


async def test_informational_responses_that_no_one_takes_do_not_gather(connect: Connect) -> None:
    sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def guest(request: IncomingRequest, out: ResponseOutparam) -> None:
        large = Fields.from_list([("link", b"a" * 10_000)])
        for number in range(100_000):
            try:
                out.send_informational(103, large)
            except WitError:
                sent.set_result(number)
                break
        ResponseOutparam.set(out, Ok(OutgoingResponse(Fields())))

    server = HttpServer(HttpServerOptions(addresses=("127.0.0.1:0",)))
    await server.start(PythonGuest(guest))  # type: ignore[arg-type]  # what the server needs of a guest
    client = await connect(server)
    await client.send(GET)
    async with asyncio.timeout(20):
        count = await sent
    assert 0 < count < 10_000
    for _ in range(count):
        assert (await client.head())[0] == 103
    assert (await client.answer()).status == 200
    await server.close()


class PythonGuest:
    """A guest whose handler is a Python function, for what no released WIT has."""

    running = False  # of its store: no guest of the engine is on the stack
    cpu_s = 0.0

    def __init__(self, handler: Callable[[IncomingRequest, ResponseOutparam], None]) -> None:
        self._handler = handler
        self.id = ""
        self.store = self
        self.telemetry = Telemetry()

    def function(self, interface: str, name: str) -> None: ...

    def call(self, id: str | None) -> PythonGuest:  # noqa: A002 - the name of what this stands for
        return self

    async def __aenter__(self) -> PythonGuest:
        return self

    async def __aexit__(self, *details: object) -> None: ...

    def lift_deadline(self) -> None: ...

    def resume_deadline(self) -> None: ...

    async def invoke(self, function: None, *arguments: Any) -> None:
        self._handler(*arguments)
