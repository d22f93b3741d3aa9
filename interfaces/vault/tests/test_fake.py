"""The vault of the test kit, through its fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interfaces.vault.tests.guest_text import GUEST
from qwasr.testing.fakes import Call
from qwasr.values import Variant, WitError
from qwasr_vault import AccessDenied, Unavailable
from qwasr_vault.fake import FakeVault

if TYPE_CHECKING:
    from qwasr.testing import Guest

pytestmark = pytest.mark.guest(GUEST)


async def test_a_secret_that_a_test_sets_is_read_by_the_guest(guest: Guest) -> None:
    guest.vault["billing"]["api-key"] = b"open sesame"
    assert await guest.call(None, "get", "billing", "api-key") == b"open sesame"


async def test_a_secret_that_the_guest_sets_is_seen_by_the_test(guest: Guest) -> None:
    await guest.call(None, "set", "billing", "api-key", b"open sesame")
    assert guest.vault == {"billing": {"api-key": b"open sesame"}}


async def test_what_is_deleted_is_gone_on_both_sides(guest: Guest) -> None:
    guest.vault["billing"].update({"a": b"1", "b": b"2"})
    await guest.call(None, "delete", "billing", "a")
    del guest.vault["billing"]["b"]
    assert guest.vault == {}
    assert await guest.call(None, "list-ids", "billing") == []
    with pytest.raises(KeyError):
        del guest.vault["billing"]["b"]


async def test_calls_are_remembered_with_names_and_without_secrets(guest: Guest) -> None:
    await guest.call(None, "set", "billing", "api-key", b"open sesame")
    await guest.call(None, "exists", "billing", "api-key")
    await guest.call(None, "list-ids", "billing")
    assert guest.vault.calls == [
        Call("open_locker", ("billing",)),
        Call("set", ("billing", "api-key")),
        Call("open_locker", ("billing",)),
        Call("exists", ("billing", "api-key")),
        Call("open_locker", ("billing",)),
        Call("list_ids", ("billing",)),
    ]


async def test_what_the_test_does_itself_is_not_remembered(guest: Guest) -> None:
    guest.vault["billing"]["api-key"] = b"open sesame"
    assert list(guest.vault["billing"]) == ["api-key"]
    assert guest.vault.calls == []


async def test_a_guest_sees_a_failure_that_the_test_wants(guest: Guest) -> None:
    guest.vault.fail(Unavailable("the vault is unavailable"), on="get")
    with pytest.raises(WitError) as caught:
        await guest.call(None, "get", "billing", "api-key")
    assert caught.value.value == Variant("other", "the vault is unavailable")
    assert await guest.call(None, "get", "billing", "api-key") is None


async def test_a_test_can_have_a_vault_that_only_reads(guest: Guest) -> None:
    guest.vault.fail(AccessDenied("this vault only reads"), on="set", times=None)
    with pytest.raises(WitError) as caught:
        await guest.call(None, "set", "billing", "api-key", b"value")
    assert caught.value.value == Variant("access-denied")
    assert guest.vault == {}


def test_no_secret_is_in_a_repr() -> None:
    vault = FakeVault()
    vault["billing"]["api-key"] = b"open sesame"
    assert repr(vault["billing"]) == "{'api-key': ***}"
    assert "sesame" not in f"{vault!r} {vault.calls}"
