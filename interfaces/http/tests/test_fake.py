"""HTTP in tests, through the fixture `guest`: who asks the guest, and whom the guest asks."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from qwasr.testing import Call
from qwasr.values import Variant
from qwasr_http.codes import HttpError
from qwasr_http.fake import FakeHttp, Sent
from qwasr_http.in_process import BrokenResponse, request_bytes
from qwasr_http.protocol import FixedResponse

if TYPE_CHECKING:
    from qwasr.testing import Guest

TO_API = {"authority": "api.test", "path": "/some?query"}
URL = "http://api.test/some?query"
FETCHES = guests.guest(guests.FETCH_REQUEST, TO_API, outgoing=True)


def answering(handle: str, **texts: str) -> pytest.MarkDecorator:
    return pytest.mark.guest(guests.guest(handle, texts))


@answering(guests.HELLO, text="héllo")
async def test_a_guest_is_asked_and_answers(guest: Guest) -> None:
    response = await guest.get("/")
    assert (response.status, response.text, response.body) == (200, "héllo", "héllo".encode())
    assert response.headers["X-Request-Id"]


@answering(guests.PATH)
async def test_parameters_are_encoded_into_the_query(guest: Guest) -> None:
    assert (await guest.get("/a%20b?x=1", params={"y": "ä b", "z": [1, 2]})).text == "/a%20b?x=1&y=%C3%A4+b&z=1&z=2"


@answering(guests.AUTHORITY)
async def test_a_request_is_for_localhost_unless_its_headers_say_another(guest: Guest) -> None:
    assert (await guest.get("/")).text == "localhost"
    assert (await guest.get("/", headers={"Host": "shop.test"})).text == "shop.test"


@answering(guests.HEADER, name="x-tag", newline="\n")
async def test_a_header_may_come_several_times(guest: Guest) -> None:
    assert (await guest.get("/", headers=[("x-tag", "a"), ("x-tag", "b")])).text == "a\nb\n"


@answering(guests.ECHO)
async def test_a_body_of_any_size_passes_through_the_guest(guest: Guest) -> None:
    body = bytes(range(256)) * 8192  # more than the buffers on the way hold
    assert (await guest.post("/", body=body)).body == body
    assert (await guest.put("/", body="ä")).text == "ä"
    assert (await guest.patch("/", json={"a": [1]})).json() == {"a": [1]}


@answering(guests.HELLO, text="enough")
async def test_a_guest_that_does_not_read_the_body_answers_all_the_same(guest: Guest) -> None:
    assert (await guest.post("/", body=bytes(4_000_000))).text == "enough"


@answering(guests.HELLO, text="hello")
async def test_head_has_a_head_and_no_body(guest: Guest) -> None:
    response = await guest.head("/")
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "5")


@answering(guests.STATUS)
async def test_a_status_without_a_body_is_a_response(guest: Guest) -> None:
    assert (await guest.delete("/")).status == 204


@answering(guests.TRAP_FIRST)
async def test_a_guest_that_fails_is_a_problem_report(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = await guest.get("/")
    assert (response.status, response.json()["title"]) == (500, "Internal Server Error")
    assert "unreachable" in caplog.text


@answering(guests.TRAP_LATER, text="begun")
async def test_a_response_that_breaks_off_is_an_exception_with_what_came(guest: Guest) -> None:
    with pytest.raises(BrokenResponse, match="after 5 bytes") as caught:
        await guest.get("/")
    assert caught.value.response is not None
    assert (caught.value.response.status, caught.value.response.body) == (200, b"begun")


@answering(guests.NEVER)
async def test_a_guest_that_does_not_answer_in_time_is_an_exception(guest: Guest) -> None:
    with pytest.raises(TimeoutError):
        await guest.get("/", timeout_s=0.02)


@answering(guests.NEVER)
async def test_a_request_under_way_ends_with_the_test(guest: Guest) -> None:
    asking = asyncio.create_task(guest.get("/"))
    await asyncio.sleep(0.02)
    await guest.http.server.close()
    with pytest.raises(BrokenResponse, match="in its head"):
        await asking


@pytest.mark.guest(guests.guest(guests.HELLO, text="x"), environ={"QWASR_HTTP_MAX_BODY_BYTES": "10"})
async def test_the_limits_of_the_real_server_hold(guest: Guest) -> None:
    assert (await guest.post("/", body=bytes(11))).status == 413


@answering(guests.HELLO, text="hello")
async def test_many_requests_at_once_are_answered(guest: Guest) -> None:
    answers = await asyncio.gather(*(guest.get("/") for _ in range(50)))
    assert {answer.text for answer in answers} == {"hello"}


@pytest.mark.parametrize("path", ["", "/a b", "/ä", "/\r\n"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="percent-encode"):
        request_bytes("GET", path)


def test_a_header_of_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        request_bytes("GET", "/", headers={"a": "b\r\nc: d"})


async def test_a_guest_that_serves_no_requests_cannot_be_asked() -> None:
    with pytest.raises(RuntimeError, match="does not export wasi:http/incoming-handler"):
        await FakeHttp().get("/")


# --- whom the guest asks ---------------------------------------------------------------------------------------------


@pytest.mark.guest(FETCHES)
async def test_the_guests_own_requests_are_answered_and_remembered(guest: Guest) -> None:
    guest.http.on("POST", URL, json={"sun": True})
    assert (await guest.post("/", body=b"mine")).json() == {"sun": True}
    (sent,) = guest.http.requests
    assert (sent.method, sent.url, sent.body, sent.text) == ("POST", URL, b"mine", "mine")
    assert "traceparent" in sent.headers
    assert guest.http.calls == [Call("send", ("POST", URL))]


@pytest.mark.guest(FETCHES)
async def test_without_an_answer_the_guest_finds_nobody_and_the_log_says_why(
    guest: Guest, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await guest.post("/")).text == "C"  # the third error-code, destination-not-found
    assert f"the guest asks for POST {URL}, and the test has no answer" in caplog.text


@pytest.mark.guest(FETCHES)
async def test_the_first_answer_that_fits_and_is_not_used_up_is_given(guest: Guest) -> None:
    guest.http.on("GET", "*", body="not asked for")
    guest.http.on("POST", "http://api.test/other*", body="not asked for")
    guest.http.on("*", "http://api.test/*", body="once", times=1)
    guest.http.on("POST", URL, body="then")
    assert [(await guest.post("/")).text for _ in range(3)] == ["once", "then", "then"]


@pytest.mark.guest(FETCHES)
async def test_an_answer_may_be_a_function_of_the_request(guest: Guest) -> None:
    async def later(sent: Sent) -> FixedResponse:
        await asyncio.sleep(0)
        return FixedResponse(200, [], sent.body.upper())

    guest.http.on("*", "*", answer=later)
    assert (await guest.post("/", body=b"up")).text == "UP"


@pytest.mark.guest(FETCHES)
async def test_a_request_of_the_guest_may_fail(guest: Guest) -> None:
    guest.http.on("*", "*", body="fine")
    guest.http.fail(HttpError(Variant("DNS-timeout")))
    assert (await guest.post("/")).text == "A"  # the first error-code
    assert (await guest.post("/")).text == "fine"


@pytest.mark.guest(FETCHES)
async def test_a_reset_forgets_requests_and_answers(guest: Guest) -> None:
    guest.http.on("*", "*", body="fine")
    await guest.post("/")
    guest.http.reset()
    assert (guest.http.requests, guest.http.calls) == ([], [])
    assert (await guest.post("/")).text == "C"
