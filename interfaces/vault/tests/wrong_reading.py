"""Vaults that only read and do one thing wrong each."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from qwasr_vault import AccessDenied, Memory

_log = logging.getLogger("vault.wrong")

SECRETS = {
    "default": {"db-password": b"open sesame", "api-key": b"friend-of-mine"},
    "billing": {"db-password": b"another one"},
}


class ReadOnly(Memory):
    """A right vault that only reads, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        for locker, values in SECRETS.items():
            for secret_id, value in values.items():
                self.put(locker, secret_id, value)

    async def open_locker(self, identifier: str) -> Any:
        return ReadOnlyLocker(self, identifier)

    async def read(self, locker: str, secret_id: str) -> Any:
        return self.secrets(locker).get(secret_id)

    async def listed(self, locker: str) -> list[str]:
        return sorted(self.secrets(locker))

    async def refuse_set(self, locker: str, secret_id: str, value: bytes) -> None:
        raise AccessDenied("this vault only reads")

    async def refuse_delete(self, locker: str, secret_id: str) -> None:
        raise AccessDenied("this vault only reads")


class ReadOnlyLocker:
    def __init__(self, vault: ReadOnly, name: str) -> None:
        self.vault = vault
        self.name = name

    async def get(self, secret_id: str) -> Any:
        return await self.vault.read(self.name, secret_id)

    async def exists(self, secret_id: str) -> bool:
        return await self.get(secret_id) is not None

    async def list_ids(self) -> list[str]:
        return await self.vault.listed(self.name)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.vault.refuse_set(self.name, secret_id, value)

    async def delete(self, secret_id: str) -> None:
        await self.vault.refuse_delete(self.name, secret_id)


class ReadsText(ReadOnly):
    breaks = ("test_every_secret_is_read_from_its_locker",)

    async def read(self, locker: str, secret_id: str) -> Any:
        value = await super().read(locker, secret_id)
        return None if value is None else value.decode()


class ListsVariables(ReadOnly):
    breaks = ("test_every_name_is_listed_in_the_order_of_code_points",)

    async def listed(self, locker: str) -> list[str]:
        return [name.upper() for name in await super().listed(locker)]


class OneLocker(ReadOnly):
    breaks = ("test_no_locker_has_the_secrets_of_another",)

    async def read(self, locker: str, secret_id: str) -> Any:
        return next((values[secret_id] for values in SECRETS.values() if secret_id in values), None)


class MissingIsEmpty(ReadOnly):
    breaks = ("test_a_name_that_nobody_wrote_is_missing",)

    async def read(self, locker: str, secret_id: str) -> Any:
        return await super().read(locker, secret_id) or b""


class FillsLockers(ReadOnly):
    breaks = ("test_a_locker_that_nobody_filled_is_empty_or_none",)

    async def listed(self, locker: str) -> list[str]:
        return await super().listed(locker) or ["name"]


class SetsQuietly(ReadOnly):
    breaks = ("test_set_is_refused_and_nothing_changes",)

    async def refuse_set(self, locker: str, secret_id: str, value: bytes) -> None:
        self.put(locker, secret_id, value)


class RefusesTooLate(ReadOnly):
    breaks = ("test_delete_is_refused_and_nothing_changes",)

    async def refuse_delete(self, locker: str, secret_id: str) -> None:
        self.remove(locker, secret_id)
        await super().refuse_delete(locker, secret_id)


class LogsSecrets(ReadOnly):
    breaks = ("test_no_secret_is_in_a_log_line_or_a_repr",)

    async def read(self, locker: str, secret_id: str) -> Any:
        value = await super().read(locker, secret_id)
        _log.debug("%s is %r", secret_id, value)
        return value


class ShowsSecrets(ReadOnly):
    breaks = ("test_no_secret_is_in_a_log_line_or_a_repr",)

    def __repr__(self) -> str:
        return f"ShowsSecrets({SECRETS})"


WRONG_READERS = [
    member
    for member in list(vars().values())
    if isinstance(member, type) and issubclass(member, ReadOnly) and member is not ReadOnly
]
