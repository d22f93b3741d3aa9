"""Rules for names of lockers and secrets, and for listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr_vault.compliance._lockers import fresh_locker, fresh_name

if TYPE_CHECKING:
    from qwasr_vault.protocol import Vault

__all__ = ["NameRules"]

_UNUSUAL = (
    " ",
    "\x00",
    "a\x00b",
    "\n",
    ":",
    "/",
    "a/b",
    "../up",
    ".",
    "*",
    "%41",
    "{tag}",
    "'; --",
    "name",
    "Name",
    "NAME",
    "na-me",
    "na_me",
    "é",
    "e\u0301",
    "ключ",
    "\u202e",
    "\uffff",
    "🗝",
    "0",
    "00",
    "-1",
)
_LONG_BYTES = 512
_MANY = 300  # more than one page of the services that have pages


class NameRules:
    """What holds for names, and between lockers."""

    async def test_names_of_secrets_are_any_unicode_text(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        for number, name in enumerate(_UNUSUAL):
            await locker.set(name, b"%d" % number)
        for number, name in enumerate(_UNUSUAL):
            assert await locker.get(name) == b"%d" % number, f"the name {name!r} is mixed up with another"
        assert await locker.list_ids() == sorted(_UNUSUAL)

    async def test_names_of_lockers_are_any_unicode_text(self, backend: Vault) -> None:
        prefix = fresh_name()
        for number, name in enumerate(_UNUSUAL):
            await (await backend.open_locker(prefix + name)).set("name", b"%d" % number)
        for number, name in enumerate(_UNUSUAL):
            locker = await backend.open_locker(prefix + name)
            assert await locker.get("name") == b"%d" % number, f"the locker {name!r} is mixed up with another"

    async def test_names_have_up_to_512_bytes(self, backend: Vault) -> None:
        lockers = [(fresh_name() + letter * _LONG_BYTES)[:_LONG_BYTES] for letter in "ab"]
        names = ["n" * _LONG_BYTES, "n" * (_LONG_BYTES - 1) + "m", "🗝" * (_LONG_BYTES // 4)]
        for locker in lockers:
            for name in names:
                await (await backend.open_locker(locker)).set(name, (locker[-1] + name[-1]).encode())
        for locker in lockers:
            opened = await backend.open_locker(locker)
            for name in names:
                assert await opened.get(name) == (locker[-1] + name[-1]).encode()
            assert await opened.list_ids() == sorted(names)

    async def test_lockers_never_see_each_others_secrets(self, backend: Vault) -> None:
        prefix = fresh_name()
        marks = (":", "/", ".", "-", "--", "_", "\x00", "%3A", "")
        pairs = [(f"{prefix}a{mark}b", "c") for mark in marks] + [(f"{prefix}a", f"b{mark}c") for mark in marks]
        pairs += [(f"{prefix}A", "c"), (f"{prefix}a", "B-c")]
        for number, (locker, name) in enumerate(pairs):
            await (await backend.open_locker(locker)).set(name, b"%d" % number)
        for number, (locker, name) in enumerate(pairs):
            opened = await backend.open_locker(locker)
            assert await opened.get(name) == b"%d" % number, f"{(locker, name)!r} is mixed up with another secret"
            assert await opened.list_ids() == sorted(n for where, n in pairs if where == locker)

    async def test_an_empty_locker_lists_nothing(self, backend: Vault) -> None:
        assert await (await fresh_locker(backend)).list_ids() == []

    async def test_a_listing_has_every_name_once_in_the_order_of_code_points(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        names = [f"name-{number}" for number in range(_MANY)] + ["Name", "é", "\uffff", "🗝"]
        for name in reversed(names):
            await locker.set(name, b"value")
        assert await locker.list_ids() == sorted(names)
