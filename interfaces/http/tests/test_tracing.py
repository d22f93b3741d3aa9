"""Request ids and traces: accepted, made, seen by the guest, sent back and passed on; and the line of each call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from qwasr.trace import TraceContext
from qwasr_http.fake import FakeHttp

if TYPE_CHECKING:
    from interfaces.http.tests.conftest import Connect, Serve

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
GET = b"GET /path?secret=1 HTTP/1.1\r\nHost: here\r\n\r\n"


def header(name: str) -> bytes:
    return guests.guest(guests.HEADER, {"name": name, "newline": "\n"})


def get(**fields: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET / HTTP/1.1\r\nHost: here\r\n{lines}\r\n".encode()


async def test_a_request_id_is_sent_back_and_seen_by_the_guest(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(header("x-request-id")))
    await client.send(get(x_request_id="mine-1"))
    answer = await client.answer()
    assert (answer.headers["x-request-id"], answer.body) == ("mine-1", b"mine-1\n")


@pytest.mark.parametrize("given", [{}, {"x_request_id": "a b"}, {"x_request_id": "x" * 200}])
async def test_a_request_id_is_made_where_there_is_no_sane_one(
    serve: Serve, connect: Connect, given: dict[str, str]
) -> None:
    client = await connect(await serve(header("x-request-id")))
    await client.send(get(**given))
    answer = await client.answer()
    assert len(answer.headers["x-request-id"]) == 16
    assert answer.body.decode() == answer.headers["x-request-id"] + "\n"


async def test_a_guest_may_answer_with_a_request_id_of_its_own(serve: Serve, connect: Connect) -> None:
    handle, texts = guests.with_header("x-request-id", "the-guests", guests.HELLO)
    client = await connect(await serve(guests.guest(handle, texts, text="hello")))
    await client.send(GET)
    answer = await client.answer()
    assert [value for name, value in answer.fields if name == "x-request-id"] == ["the-guests"]


async def test_a_valid_trace_reaches_the_guest_unchanged(serve: Serve, connect: Connect) -> None:
    server = await serve(header("traceparent"))
    client = await connect(server)
    await client.send(get(traceparent=PARENT))
    assert (await client.answer()).body.decode() == PARENT + "\n"


@pytest.mark.parametrize("given", [{}, {"traceparent": "nonsense", "tracestate": "a=1"}])
async def test_a_trace_that_is_missing_or_invalid_is_replaced(
    serve: Serve, connect: Connect, given: dict[str, str]
) -> None:
    client = await connect(await serve(header("traceparent")))
    await client.send(get(**given))
    (parent,) = (await client.answer()).body.decode().split()
    assert TraceContext.read([parent], []) is not None


async def test_the_state_of_an_invalid_trace_is_dropped(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(header("tracestate")))
    await client.send(get(traceparent="nonsense", tracestate="a=1"))
    assert (await client.answer()).body == b""


async def test_requests_of_a_guest_belong_to_the_trace_of_its_call(serve: Serve, connect: Connect) -> None:
    fake = FakeHttp()
    fake.on("*", "*")
    component = guests.guest(guests.FETCH_TEXT, {"authority": "api.test", "path": "/", "text": "sent"}, outgoing=True)
    client = await connect(await serve(component, fake))
    await client.send(get(traceparent=PARENT, tracestate="a=1"))
    await client.answer()
    (sent,) = fake.requests
    assert sent.headers == {"traceparent": PARENT, "tracestate": "a=1"}


async def test_a_call_is_one_line_without_its_query(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="qwasr.access")
    client = await connect(await serve(guests.guest(guests.HELLO, text="hello")))
    await client.send(GET)
    answer = await client.answer()
    (record,) = [one for one in caplog.records if one.name == "qwasr.access"]
    found = vars(record)
    assert (found["method"], found["path"], found["status"], found["client"]) == ("GET", "/path", 200, "127.0.0.1")
    assert found["call"] == answer.headers["x-request-id"]
    assert found["duration_ms"] >= found["cpu_ms"] > 0
    assert "secret" not in caplog.text


async def test_a_response_that_was_cut_is_called_so(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="qwasr.access")
    client = await connect(await serve(guests.guest(guests.TRAP_LATER, text="hello")))
    await client.send(GET)
    assert not (await client.answer()).whole
    (record,) = [one for one in caplog.records if one.name == "qwasr.access"]
    assert (vars(record)["status"], vars(record)["end"]) == (200, "cut")
