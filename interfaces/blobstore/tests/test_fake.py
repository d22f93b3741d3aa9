"""The fake: containers that are dictionaries, and what tests do with them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from interfaces.blobstore.tests.guest_text import text
from qwasr.testing.clock import Clock
from qwasr.testing.fakes import Call
from qwasr.values import WitError
from qwasr_blobstore import ObjectId, Unavailable
from qwasr_blobstore.compliance import BlobstoreCompliance
from qwasr_blobstore.fake import FakeBlobstore

if TYPE_CHECKING:
    from qwasr.testing import Guest

pytestmark = pytest.mark.guest(text())


class TestFake(BlobstoreCompliance):
    times_in_memory = 2  # the object, and the call that wrote it

    @pytest.fixture
    def backend(self) -> FakeBlobstore:
        return FakeBlobstore(Clock(wall_ns=time.time_ns()))


async def test_a_guest_reads_what_the_test_arranged(guest: Guest) -> None:
    guest.blobstore["photos"]["a.jpg"] = b"value"
    assert await guest.call(None, "fetch", "photos", "a.jpg", 0, 9, True) == b"value"


async def test_the_test_sees_what_a_guest_wrote(guest: Guest) -> None:
    guest.blobstore["photos"] = {}
    await guest.call(None, "put", "photos", "a.jpg", b"value", 0)
    assert guest.blobstore["photos"]["a.jpg"] == b"value"
    assert guest.blobstore == {"photos": {"a.jpg": b"value"}}


async def test_what_a_guest_did_not_finish_is_not_there(guest: Guest) -> None:
    guest.blobstore["photos"] = {"old": b"1"}
    await guest.call(None, "put", "photos", "a.jpg", b"value", 2)
    assert list(guest.blobstore["photos"]) == ["old"]


async def test_calls_are_recorded(guest: Guest) -> None:
    guest.blobstore["photos"] = {"old": b"1"}
    await guest.call(None, "put", "photos", "a.jpg", b"value", 0)
    await guest.call(
        None, "copy", SimpleNamespace(container="photos", object="old"), SimpleNamespace(container="photos", object="b")
    )
    assert guest.blobstore.calls == [
        Call("get_container", ("photos",)),
        Call("write", ("photos", "a.jpg")),
        Call("commit", ("photos", "a.jpg", b"value")),
        Call("copy_object", (ObjectId("photos", "old"), ObjectId("photos", "b"))),
    ]


@pytest.mark.parametrize("operation", ["get_container", "write", "commit"])
async def test_a_guest_sees_a_failure_and_nothing_becomes_visible(guest: Guest, operation: str) -> None:
    guest.blobstore["photos"] = {}
    guest.blobstore.fail(Unavailable("the service is unavailable"), on=operation)
    with pytest.raises(WitError, match="unavailable"):
        await guest.call(None, "put", "photos", "a.jpg", b"value", 0)
    assert guest.blobstore["photos"] == {}


async def test_objects_have_the_tests_time(guest: Guest) -> None:
    guest.clock.advance(100)
    await guest.call(None, "create", "photos")
    info = await guest.call(None, "info", "photos")
    assert info.created_at == guest.clock.wall_ns() // 10**9


def test_containers_and_objects_are_dictionaries() -> None:
    fake = FakeBlobstore()
    assert "photos" not in fake
    assert dict(fake["photos"]) == {}
    fake["photos"] = {"a": b"1", "b": b"2"}
    assert "photos" in fake
    assert list(fake) == ["photos"]
    del fake["photos"]["a"]
    assert fake["photos"] == {"b": b"2"}
    with pytest.raises(KeyError):
        fake["photos"]["a"]
    with pytest.raises(KeyError):
        del fake["photos"]["a"]
    fake["photos"] = {"c": b"3"}
    assert repr(fake["photos"]) == "{'c': b'3'}"
    del fake["photos"]
    assert len(fake) == 0
    with pytest.raises(KeyError):
        del fake["photos"]
