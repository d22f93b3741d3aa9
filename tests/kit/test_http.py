"""The guest of examples/http: it greets, echoes, and streams lines with a pause between them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "http"


async def test_it_greets(guest: Guest) -> None:
    response = await guest.get("/")
    assert (response.status, response.text) == (200, "Hello from Python\n")
    assert response.headers["content-type"] == "text/plain"


async def test_it_echoes_a_body_larger_than_any_buffer(guest: Guest) -> None:
    body = os.urandom(1_000_000)
    response = await guest.post("/echo", body=body, headers={"content-type": "a/b"})
    assert (response.body, response.headers["content-type"]) == (body, "a/b")


async def test_it_pauses_for_50_ms_between_its_lines(guest: Guest) -> None:
    guest.clock.pace = 0
    response = await guest.get("/stream")
    assert response.text == "line 1\nline 2\nline 3\nline 4\nline 5\n"
    assert guest.clock() == 0.2


async def test_it_knows_no_other_page(guest: Guest) -> None:
    assert (await guest.get("/elsewhere")).status == 404
    assert (await guest.delete("/")).status == 404
