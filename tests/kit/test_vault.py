"""The notary of examples/vault: it signs with a secret that it does not show."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest

from qwasr.testing.fakes import Call
from qwasr_vault.errors import Unavailable

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "vault"
KEY = b"correct horse"


def signature(text: bytes) -> str:
    return hmac.digest(KEY, text, hashlib.sha256).hex()


async def test_it_signs_with_the_key_of_the_vault(guest: Guest) -> None:
    guest.vault["default"]["signing-key"] = KEY
    assert (await guest.post("/", body=b"five")).text == signature(b"five") + "\n"
    assert guest.vault.calls == [Call("open_locker", ("default",)), Call("get", ("default", "signing-key"))]


async def test_it_knows_its_own_signature(guest: Guest) -> None:
    guest.vault["default"]["signing-key"] = KEY
    response = await guest.post(f"/{signature(b'five')}", body=b"five")
    assert (response.status, response.text) == (200, "signed here\n")


@pytest.mark.parametrize("claimed", [signature(b"five hundred"), signature(b"five")[:-1], "x", "%C3%A4"])
async def test_it_refuses_another_signature(guest: Guest, claimed: str) -> None:
    guest.vault["default"]["signing-key"] = KEY
    assert (await guest.post(f"/{claimed}", body=b"five")).status == 403


async def test_it_reads_the_key_each_time(guest: Guest) -> None:
    guest.vault["default"]["signing-key"] = b"old"
    await guest.post("/", body=b"five")
    guest.vault["default"]["signing-key"] = KEY
    assert (await guest.post("/", body=b"five")).text == signature(b"five") + "\n"


async def test_it_says_that_there_is_no_key(guest: Guest) -> None:
    response = await guest.post("/", body=b"five")
    assert (response.status, response.text) == (503, "the vault has no secret 'signing-key'\n")


async def test_it_fails_without_the_vault_and_works_again_with_it(guest: Guest) -> None:
    guest.vault["default"]["signing-key"] = KEY
    guest.vault.fail(Unavailable("the vault is unavailable"))
    assert (await guest.post("/", body=b"five")).status == 500
    assert (await guest.post("/", body=b"five")).status == 200
