"""The files of examples/blobstore and examples/blobstore-js: bytes stream in and out, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwasr_blobstore.errors import OutOfSpace

if TYPE_CHECKING:
    from qwasr.testing import Guest


pytestmark = pytest.mark.usefixtures("guest_component")  # so that every test has its parameters


@pytest.fixture(params=["blobstore", "blobstore-js"])
def guest_component(request: pytest.FixtureRequest, guest_path: Callable[[str], Path]) -> Path:
    return guest_path(request.param)


async def test_a_file_larger_than_any_buffer_is_kept_as_it_is(guest: Guest) -> None:
    content = os.urandom(3_000_000)
    assert (await guest.put("/photo", body=content)).status == 200
    assert guest.blobstore["files"]["photo"] == content
    assert (await guest.get("/photo")).body == content


async def test_a_file_may_be_empty(guest: Guest) -> None:
    await guest.put("/nothing", body=b"")
    response = await guest.get("/nothing")
    assert (response.status, response.body) == (200, b"")


async def test_files_are_listed_by_their_names(guest: Guest) -> None:
    assert (await guest.get("/")).text == ""
    guest.blobstore["files"] = {"a": b"1", "b/c": b"2"}
    assert sorted((await guest.get("/")).text.splitlines()) == ["a", "b/c"]


async def test_a_deleted_file_is_gone(guest: Guest) -> None:
    guest.blobstore["files"] = {"a": b"1", "b": b"2"}
    assert (await guest.delete("/a")).status == 200
    assert dict(guest.blobstore["files"]) == {"b": b"2"}
    assert (await guest.get("/a")).status == 404


async def test_other_methods_are_not_answered_with_a_file(guest: Guest) -> None:
    guest.blobstore["files"] = {"a": b"1"}
    assert (await guest.post("/a")).status == 404


async def test_a_file_that_does_not_fit_does_not_replace_the_old_one(guest: Guest) -> None:
    guest.blobstore["files"] = {"a": b"old"}
    guest.blobstore.fail(OutOfSpace("the store is full"), on="commit")
    assert (await guest.put("/a", body=b"new")).status == 500
    assert guest.blobstore["files"]["a"] == b"old"
