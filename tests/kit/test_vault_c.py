"""The door of examples/vault-c: it opens to who says the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_vault.errors import Unavailable

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "vault-c"


async def test_it_opens_to_who_says_the_password(guest: Guest) -> None:
    guest.vault["default"]["password"] = b"sesame"
    response = await guest.get("/", headers={"authorization": "sesame"})
    assert (response.status, response.text) == (200, "Come in.\n")


@pytest.mark.parametrize("said", ["", "sesam", "sesame!", "Sesame"])
async def test_it_stays_closed_to_others(guest: Guest, said: str) -> None:
    guest.vault["default"]["password"] = b"sesame"
    response = await guest.get("/", headers={"authorization": said} if said else {})
    assert (response.status, response.text) == (401, "Who is there?\n")


async def test_it_stays_closed_when_nobody_set_a_password(guest: Guest) -> None:
    assert (await guest.get("/", headers={"authorization": "sesame"})).status == 401


async def test_it_stays_closed_when_the_vault_cannot_be_asked(guest: Guest) -> None:
    guest.vault["default"]["password"] = b"sesame"
    guest.vault.fail(Unavailable("the vault is unavailable"), on="get")
    assert (await guest.get("/", headers={"authorization": "sesame"})).status == 401


async def test_a_password_of_64_kib_fits(guest: Guest) -> None:
    guest.vault["default"]["password"] = b"x" * 65536
    assert (await guest.get("/", headers={"authorization": "x"})).status == 401
