"""What clients get when a guest or a request is broken, and what the log says about it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import until_running

if TYPE_CHECKING:
    from interfaces.http.tests.conftest import Answer, Connect, Serve

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def assert_problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.body)
    assert problem["status"] == status
    assert answer.headers["x-request-id"] == problem["request_id"]
    return problem


async def test_a_trap_before_the_response_is_a_500_whose_id_is_in_the_log(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(await serve(guests.guest(guests.TRAP_FIRST)))
    await client.send(GET)
    problem = assert_problem(await client.answer(), 500)
    record = next(record for record in caplog.records if record.name == "qwasr.guest")
    assert record.__dict__["call"] == problem["request_id"]
    assert "unreachable" in record.getMessage()
    assert "unreachable" not in str(problem)


async def test_the_connection_survives_a_trap(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.TRAP_FIRST)))
    for _ in range(3):
        await client.send(GET)
        assert (await client.answer()).status == 500


@pytest.mark.parametrize("handle", [guests.TRAP_LATER, guests.TRAP_AT_ONCE_LATER])
async def test_a_trap_after_the_response_began_cuts_the_connection(serve: Serve, connect: Connect, handle: str) -> None:
    client = await connect(await serve(guests.guest(handle, text="partial")))
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"partial")
    assert not answer.whole
    assert await client.closed()


async def test_a_cut_response_to_http_1_0_is_a_reset(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.TRAP_LATER, text="partial")))
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert not (await client.answer()).whole


async def test_a_complete_response_stands_though_the_guest_traps_afterwards(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(f"{guests.HELLO} (unreachable)", text="hello")))
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"hello")


async def test_a_guest_that_returns_without_a_response_is_a_500(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(await serve(guests.guest(guests.SILENT)))
    await client.send(GET)
    assert_problem(await client.answer(), 500)
    assert "without a response" in caplog.text


async def test_an_error_of_the_guest_is_answered_with_its_status(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ERROR)))
    await client.send(GET)
    assert assert_problem(await client.answer(), 502)["code"] == "connection-refused"


async def test_a_guest_that_takes_too_long_is_a_504(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.NEVER), QWASR_GUEST_TIMEOUT_S="0.1"))
    await client.send(GET)
    assert_problem(await client.answer(), 504)


async def test_a_guest_that_computes_too_long_is_a_504_and_harms_no_one(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.SPIN), QWASR_GUEST_TIMEOUT_S="0.2")
    clients = [await connect(server) for _ in range(3)]
    for client in clients:
        await client.send(GET)
    for client in clients:
        assert_problem(await client.answer(), 504)


async def test_a_guest_that_uses_up_its_time_on_the_processor_is_a_504(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(await serve(guests.guest(guests.SPIN), QWASR_GUEST_CPU_S="0.1"))
    await client.send(GET)
    assert_problem(await client.answer(), 504)
    assert "QWASR_GUEST_CPU_S" in caplog.text


async def test_a_request_that_may_not_wait_is_a_503_that_says_when_to_come_again(
    serve: Serve, connect: Connect
) -> None:
    limits = {"QWASR_CONCURRENCY": "1", "QWASR_QUEUE": "1", "QWASR_QUEUE_TIMEOUT_S": "2"}
    server = await serve(guests.guest(guests.ECHO), **limits)
    clients = [await connect(server) for _ in range(3)]
    await clients[0].send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n")  # its guest waits for more
    for number, client in enumerate(clients[1:], 1):
        await until_running(server, number)
        await client.send(GET)
    for client in reversed(clients[1:]):  # the last did not even wait, the other in vain
        refused = await client.answer()
        assert_problem(refused, 503)
        assert refused.headers["retry-after"] == "2"
    await clients[0].send(b"body")
    assert (await clients[0].answer()).body == b"body"
    await clients[1].send(GET)
    assert (await clients[1].answer()).status == 200


async def test_the_deadline_ends_when_the_response_begins(serve: Serve, connect: Connect) -> None:
    component = guests.guest(guests.ASKED_TWICE, first="first", second="second")
    client = await connect(await serve(component, QWASR_GUEST_TIMEOUT_S="1"))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\n")
    assert (await client.head())[0] == 200
    await asyncio.sleep(1.3)
    await client.send(b"!")
    assert await client.reader.readexactly(26) == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_a_guest_that_goes_on_after_its_response_has_the_deadlines_time_once_more(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    handle = f"{guests.HELLO} {guests.NEVER}"
    server = await serve(guests.guest(handle, text="hello"), QWASR_GUEST_TIMEOUT_S="1")
    client = await connect(server)
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body, answer.whole) == (200, b"hello", True)
    await until_running(server, 0)
    assert "QWASR_GUEST_TIMEOUT_S" in caplog.text
    await client.send(GET)
    assert (await client.answer()).body == b"hello", "the connection is none the worse"


async def test_a_body_that_is_dropped_unfinished_is_no_response(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.UNFINISHED, text="partial")))
    await client.send(GET)
    assert_problem(await client.answer(), 500)


def headers_of(count: int, value: str) -> bytes:
    """A guest that answers with so many header lines of a name of six letters."""
    fields = f"""
      (local.set $d (call $fields))
      (local.set $e (i32.const {count}))
      (loop $next
        (call $append (local.get $d) %name %value (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then (unreachable)))
        (br_if $next (local.tee $e (i32.sub (local.get $e) (i32.const 1)))))"""
    start = guests._START.replace("(call $response (call $fields))", "(call $response (local.get $d))")
    return guests.guest(fields + guests.HELLO.replace(guests._START, start), name="x-name", value=value, text="hello")


@pytest.mark.parametrize(("count", "value"), [(9, "v"), (8, "v" * 120)], ids=["too many", "too long"])
async def test_a_response_with_more_headers_than_it_may_have_is_a_500(
    serve: Serve, connect: Connect, count: int, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"QWASR_HTTP_MAX_HEADERS": "8", "QWASR_HTTP_MAX_HEADER_BYTES": "1000"}
    client = await connect(await serve(headers_of(count, value), **limits))
    await client.send(GET)
    assert_problem(await client.answer(), 500)
    assert "HTTP-response-header-section-size" in caplog.text


async def test_a_response_with_as_many_headers_as_it_may_have_is_sent(serve: Serve, connect: Connect) -> None:
    limits = {"QWASR_HTTP_MAX_HEADERS": "8", "QWASR_HTTP_MAX_HEADER_BYTES": "1000"}
    client = await connect(await serve(headers_of(8, "v" * (1000 // 8 - 10)), **limits))
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"hello")
    assert [name for name, _ in answer.fields].count("x-name") == 8


@pytest.mark.parametrize("length", ["4", "6"])
async def test_a_body_of_another_length_than_announced_is_a_500(serve: Serve, connect: Connect, length: str) -> None:
    handle, texts = guests.with_header("content-length", length, guests.HELLO)
    client = await connect(await serve(guests.guest(handle, texts, text="hello")))
    await client.send(GET)
    assert_problem(await client.answer(), 500)


async def test_a_body_that_turns_out_too_short_is_cut(serve: Serve, connect: Connect) -> None:
    handle, texts = guests.with_header("content-length", "12", guests.EARLY)
    client = await connect(await serve(guests.guest(handle, texts, first="first", second="second")))
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.body, answer.whole) == (200, b"firstsecond"[: len(answer.body)], False)
    assert await client.closed()


async def test_a_body_over_the_limit_is_refused_before_a_guest_is_made(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.TRAP_FIRST), QWASR_HTTP_MAX_BODY_BYTES="10"))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nhello world")
    assert_problem(await client.answer(), 413)


async def test_a_chunked_body_over_the_limit_is_refused_while_it_is_read(serve: Serve, connect: Connect) -> None:
    client = await connect(
        await serve(guests.guest(guests.READ, whole="w", broken="b"), QWASR_HTTP_MAX_BODY_BYTES="10")
    )
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n")
    await asyncio.sleep(0.05)
    await client.send(b"5\r\nworld\r\n")
    # READ sets its response first, so its body has begun by now: the connection is cut.
    answer = await client.answer()
    assert not answer.whole


async def test_a_chunked_body_over_the_limit_is_a_413_before_the_response(serve: Serve, connect: Connect) -> None:
    handle = """
      (local.set $d (call $incoming-stream (local.get $request)))
      (loop $next
        (call $read (local.get $d) (i64.const 65536) (i32.const 16))
        (br_if $next (i32.eqz (i32.load8_u (i32.const 16)))))"""
    client = await connect(await serve(guests.guest(handle), QWASR_HTTP_MAX_BODY_BYTES="10"))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n")
    assert_problem(await client.answer(), 413)


async def test_a_body_of_exactly_the_limit_is_taken(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO), QWASR_HTTP_MAX_BODY_BYTES="11"))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nhello world")
    assert (await client.answer()).body == b"hello world"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
        (b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xc3\xbc\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: miracles\r\n\r\n", 417),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 500 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: " + b"a" * 1000 + b"\r\n") * 20 + b"\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused(
    serve: Serve, connect: Connect, request_bytes: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = await connect(await serve(guests.guest(guests.TRAP_FIRST)))
    await client.send(request_bytes)
    assert_problem(await client.answer(), status)
    assert await client.closed()
    assert [record.name for record in caplog.records if record.name != "qwasr.access"] == []


async def test_a_body_that_stops_being_chunked_is_an_error_for_its_reader(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.READ, whole="whole", broken="broken")))
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
    status, _ = await client.head()
    await client.send(b"nonsense\r\n")
    assert status == 200
    assert await client.reader.readexactly(11) == b"6\r\nbroken\r\n"
    assert await client.reader.readexactly(5) == b"0\r\n\r\n"


async def test_a_client_that_goes_away_ends_its_guest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.NEVER))
    client = await connect(server)
    await client.send(GET)
    await until_running(server, 1)
    client.writer.transport.abort()
    await until_running(server, 0)


async def test_a_client_that_goes_away_while_it_is_sent_a_body_ends_its_guest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.FLOOD))
    client = await connect(server)
    await client.send(GET)
    await client.head()
    assert server.running == 1
    client.writer.transport.abort()
    await until_running(server, 0)


async def test_a_sane_request_id_is_taken_over(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.SILENT)))
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nX-Request-ID: trace-1.2:3\r\n\r\n")
    assert assert_problem(await client.answer(), 500)["request_id"] == "trace-1.2:3"


@pytest.mark.parametrize("given", ["a b", "x" * 129, 'quote"', "<script>", ""])
async def test_a_request_id_that_could_do_harm_is_replaced(serve: Serve, connect: Connect, given: str) -> None:
    client = await connect(await serve(guests.guest(guests.SILENT)))
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nX-Request-ID: %b\r\n\r\n" % given.encode())
    assert len(assert_problem(await client.answer(), 500)["request_id"]) == 16


async def test_the_problem_of_a_head_request_has_no_body(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.SILENT)))
    await client.send(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n" * 2)
    for _ in range(2):
        assert (await client.answer(bodyless=True)).status == 500
