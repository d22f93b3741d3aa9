"""The stand-in of tests: it keeps every rule of a backend, and its buckets are dictionaries."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

import pytest

from interfaces.keyvalue.tests.guest_text import DRAFT2, text, watching
from qwasr.testing import Call, Clock
from qwasr.values import Variant, WitError
from qwasr_keyvalue.compliance import KeyValueCompliance
from qwasr_keyvalue.errors import Unavailable
from qwasr_keyvalue.fake import FakeKeyValue

if TYPE_CHECKING:
    from qwasr.testing import Guest

pytestmark = pytest.mark.guest(text(DRAFT2))


class RealTime(Clock):
    """A clock that goes on by itself: the rules of expiry wait for real."""

    def __call__(self) -> float:
        return asyncio.get_running_loop().time()


class TestFakeKeyValue(KeyValueCompliance):
    @pytest.fixture
    def backend(self) -> FakeKeyValue:
        return FakeKeyValue(RealTime())


async def test_what_a_guest_sets_is_in_a_dictionary(guest: Guest) -> None:
    await guest.call(None, "set", "users", "k", b"v")
    assert guest.keyvalue["users"]["k"] == b"v"
    assert guest.keyvalue == {"users": {"k": b"v"}}


async def test_what_a_test_sets_a_guest_finds(guest: Guest) -> None:
    guest.keyvalue["users"]["k"] = b"v"
    assert await guest.call(None, "get", "users", "k") == b"v"
    del guest.keyvalue["users"]["k"]
    assert await guest.call(None, "exists", "users", "k") is False


async def test_nothing_is_left_of_the_test_before(guest: Guest) -> None:
    assert not guest.keyvalue
    assert guest.keyvalue["users"] == {}


def test_a_bucket_is_a_dictionary_with_any_number_of_keys() -> None:
    store = FakeKeyValue()
    store["b"].update({str(number): b"" for number in range(2500)})
    assert len(store["b"]) == 2500
    assert list(store["b"])[:3] == ["0", "1", "2"]
    assert (len(store), list(store)) == (1, ["b"])
    for change in (store["b"].__getitem__, store["b"].__delitem__):
        with pytest.raises(KeyError):
            change("none")
    assert repr(store["c"]) == "{}"


async def test_calls_of_a_guest_are_remembered_and_those_of_a_test_are_not(guest: Guest) -> None:
    guest.keyvalue["users"]["k"] = b"v"
    await guest.call(None, "get", "users", "k")
    await guest.call(None, "increment", "hits", "k", 3)
    assert guest.keyvalue.calls == [
        Call("open_bucket", ("users",)),
        Call("get", ("users", "k")),
        Call("open_bucket", ("hits",)),
        Call("increment", ("hits", "k", 3)),
    ]


async def test_a_failure_reaches_the_guest_in_the_terms_of_the_wit(guest: Guest) -> None:
    guest.keyvalue.fail(Unavailable("the store is unavailable"), on="get")
    with pytest.raises(WitError) as caught:
        await guest.call(None, "get", "users", "k")
    assert caught.value.value == Variant("other", "the store is unavailable")
    assert await guest.call(None, "get", "users", "k") is None


@pytest.mark.guest(environ={"QWASR_BACKEND_TIMEOUT_S": "0.02"})
async def test_a_store_that_never_answers_is_unavailable_to_the_guest(
    guest: Guest, caplog: pytest.LogCaptureFixture
) -> None:
    guest.keyvalue.delay(math.inf, on="set")
    with caplog.at_level(logging.CRITICAL), pytest.raises(WitError) as caught:
        await guest.call(None, "set", "users", "k", b"v")
    assert "unavailable" in caught.value.value.value
    assert guest.keyvalue == {}


async def test_an_entry_expires_by_the_clock_of_the_test(guest: Guest) -> None:
    users = guest.keyvalue["users"]
    users["k"] = b"v"
    assert users.ttl("k") == math.inf
    users.expire("k", 60)
    guest.clock.advance(59)
    assert await guest.call(None, "exists", "users", "k") is True
    assert users.ttl("k") == pytest.approx(1)
    guest.clock.advance(1)
    assert await guest.call(None, "exists", "users", "k") is False
    with pytest.raises(KeyError):
        users.expire("k", 1)


@pytest.mark.guest(watching(DRAFT2))
async def test_a_watching_guest_is_told_of_what_the_test_changes(guest: Guest) -> None:
    await guest.call(None, "exists", "users", "k")
    guest.keyvalue["users"]["k"] = b"v"
    await guest.until(lambda: guest.keyvalue["seen"] == {"k": b"v"})
    del guest.keyvalue["users"]["k"]
    await guest.until(lambda: guest.keyvalue["seen"] == {"k": b"gone"})
