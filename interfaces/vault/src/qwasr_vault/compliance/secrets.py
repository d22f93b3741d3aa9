"""Rules for single secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr_vault.compliance._lockers import fresh_locker, fresh_name

if TYPE_CHECKING:
    from qwasr_vault.protocol import Vault

__all__ = ["SecretRules"]

_UNUSUAL = (b"", b"\x00", b"0", b" ", b" padded ", b"line\n", b"\r\n", bytes(range(256)), b"\xff\xfe", b"null", b"{}")
_LARGE_BYTES = 64 * 1024


class SecretRules:
    """What holds for single secrets."""

    async def test_a_missing_secret_is_none(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        assert await locker.get("missing") is None

    async def test_a_set_secret_is_read_back(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"value")
        assert await locker.get("name") == b"value"

    async def test_a_read_secret_is_bytes(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"value")
        assert type(await locker.get("name")) is bytes

    async def test_a_later_set_replaces_the_whole_secret(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"a long first value")
        await locker.set("name", b"short")
        assert await locker.get("name") == b"short"

    async def test_an_empty_secret_is_not_a_missing_one(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"")
        assert await locker.get("name") == b""
        assert await locker.exists("name") is True
        assert await locker.list_ids() == ["name"]

    async def test_secrets_are_any_bytes(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        for value in _UNUSUAL:
            await locker.set("name", value)
            assert await locker.get("name") == value

    async def test_secrets_have_up_to_64_kib(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        value = bytes(range(256)) * (_LARGE_BYTES // 256)
        await locker.set("name", value)
        assert await locker.get("name") == value, "64 KiB come back changed"

    async def test_a_deleted_secret_is_gone(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"value")
        await locker.delete("name")
        assert await locker.get("name") is None
        assert await locker.exists("name") is False
        assert await locker.list_ids() == []

    async def test_a_deleted_secret_can_be_set_again(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"old")
        await locker.delete("name")
        await locker.set("name", b"new")
        assert await locker.get("name") == b"new"

    async def test_deleting_what_is_not_there_is_no_error(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.delete("missing")
        assert await locker.list_ids() == []

    async def test_deleting_one_secret_leaves_the_others(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"1")
        await locker.set("name2", b"2")
        await locker.delete("name")
        assert await locker.get("name2") == b"2"

    async def test_exists_says_whether_the_secret_is_there(self, backend: Vault) -> None:
        locker = await fresh_locker(backend)
        assert await locker.exists("name") is False
        await locker.set("name", b"value")
        assert await locker.exists("name") is True

    async def test_lockers_of_one_name_share_their_secrets(self, backend: Vault) -> None:
        name = fresh_name()
        first, second = await backend.open_locker(name), await backend.open_locker(name)
        await first.set("name", b"value")
        assert await second.get("name") == b"value"

    async def test_secrets_stay_when_nobody_holds_their_locker(self, backend: Vault) -> None:
        name = fresh_name()
        await (await backend.open_locker(name)).set("name", b"value")
        assert await (await backend.open_locker(name)).get("name") == b"value"
