"""The guest of examples/keyvalue: it counts visitors, and keeps what it is given."""

from __future__ import annotations

import math

import pytest

from qwasr.testing import Call, Guest
from qwasr_keyvalue.errors import Unavailable

EXAMPLE = "keyvalue"


async def test_a_visitor_is_counted(guest: Guest) -> None:
    guest.keyvalue["default"]["visitors"] = b"41"
    response = await guest.get("/")
    assert (response.status, response.text) == (200, "visitor 42\n")
    assert guest.keyvalue["default"]["visitors"] == b"42"


async def test_what_is_put_is_kept(guest: Guest) -> None:
    response = await guest.put("/colour", body="blue")
    assert response.status == 204
    assert guest.keyvalue == {"default": {"colour": b"blue"}}


async def test_reading_a_key_asks_the_store_once(guest: Guest) -> None:
    response = await guest.get("/colour")
    assert response.status == 404
    assert guest.keyvalue.calls == [Call("open_bucket", ("default",)), Call("get", ("default", "colour"))]


async def test_what_has_expired_is_not_found(guest: Guest) -> None:
    guest.keyvalue["default"]["colour"] = b"blue"
    guest.keyvalue["default"].expire("colour", 60)
    guest.clock.advance(59)
    assert (await guest.get("/colour")).text == "blue"
    guest.clock.advance(1)
    assert (await guest.get("/colour")).status == 404


async def test_a_store_that_fails_is_an_error_for_the_visitor(guest: Guest) -> None:
    guest.keyvalue.fail(Unavailable("the store is unavailable"), on="get")
    response = await guest.get("/colour")
    assert response.status == 500
    assert "the store is unavailable" in response.text


@pytest.mark.guest(environ={"QWASR_BACKEND_TIMEOUT_S": "0.05"})
async def test_a_store_that_never_answers_is_an_error_too(guest: Guest) -> None:
    guest.keyvalue.delay(math.inf, on="increment")
    response = await guest.get("/")
    assert response.status == 500
