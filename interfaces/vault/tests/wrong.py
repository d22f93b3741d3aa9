"""Vaults that do one thing wrong each, to see that the compliance class catches it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from qwasr_vault import Memory, TooLarge

if TYPE_CHECKING:
    from qwasr_vault.memory import MemoryLocker

_log = logging.getLogger("vault.wrong")


class WrongLocker:
    """A right locker, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]]  # the rules that catch it

    def __init__(self, right: MemoryLocker, name: str, vault: Wrong) -> None:
        self.right = right
        self.name = name
        self.vault = vault

    async def get(self, secret_id: str) -> Any:
        return await self.right.get(secret_id)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id, value)

    async def delete(self, secret_id: str) -> None:
        await self.right.delete(secret_id)

    async def exists(self, secret_id: str) -> bool:
        return await self.right.exists(secret_id)

    async def list_ids(self) -> list[str]:
        return await self.right.list_ids()


class Wrong(Memory):
    """Memory with another class of lockers."""

    def __init__(self, locker: type[WrongLocker]) -> None:
        super().__init__()
        self._locker = locker

    async def open_locker(self, identifier: str) -> Any:
        return self._locker(await super().open_locker(rename(self._locker, identifier)), identifier, self)


def rename(locker: type[WrongLocker], identifier: str) -> str:
    return "all" if locker is JoinedNames else identifier.strip() if locker is StripsLockers else identifier


class MissingIsEmpty(WrongLocker):
    breaks = ("test_a_missing_secret_is_none", "test_a_deleted_secret_is_gone")

    async def get(self, secret_id: str) -> bytes:
        return await self.right.get(secret_id) or b""


class ForgetsSets(WrongLocker):
    breaks = ("test_a_set_secret_is_read_back", "test_exists_says_whether_the_secret_is_there")

    async def set(self, secret_id: str, value: bytes) -> None: ...


class ReturnsBytearray(WrongLocker):
    breaks = ("test_a_read_secret_is_bytes",)

    async def get(self, secret_id: str) -> Any:
        value = await self.right.get(secret_id)
        return None if value is None else bytearray(value)


class OverwritesTheBeginning(WrongLocker):
    breaks = ("test_a_later_set_replaces_the_whole_secret",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id, value + (await self.right.get(secret_id) or b"")[len(value) :])


class EmptyIsMissing(WrongLocker):
    breaks = ("test_an_empty_secret_is_not_a_missing_one",)

    async def get(self, secret_id: str) -> bytes | None:
        return await self.right.get(secret_id) or None


class StripsSecrets(WrongLocker):
    breaks = ("test_secrets_are_any_bytes",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id, value.strip())


class SmallSecrets(WrongLocker):
    breaks = ("test_secrets_have_up_to_64_kib",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id, value[:25_000])


class ListsDeleted(WrongLocker):
    breaks = ("test_a_deleted_secret_is_gone",)

    async def delete(self, secret_id: str) -> None:
        await self.right.set(secret_id, b"")


class DeletedForGood(WrongLocker):
    breaks = ("test_a_deleted_secret_can_be_set_again",)
    deleted: tuple[str, ...] = ()

    async def delete(self, secret_id: str) -> None:
        self.deleted += (secret_id,)
        await self.right.delete(secret_id)

    async def set(self, secret_id: str, value: bytes) -> None:
        if secret_id not in self.deleted:
            await self.right.set(secret_id, value)


class DeleteNeedsIt(WrongLocker):
    breaks = ("test_deleting_what_is_not_there_is_no_error",)

    async def delete(self, secret_id: str) -> None:
        if not await self.right.exists(secret_id):
            raise KeyError(secret_id)
        await self.right.delete(secret_id)


class DeletesByPrefix(WrongLocker):
    breaks = ("test_deleting_one_secret_leaves_the_others",)

    async def delete(self, secret_id: str) -> None:
        for name in await self.right.list_ids():
            if name.startswith(secret_id):
                await self.right.delete(name)


class PrivateSecrets(WrongLocker):
    breaks = ("test_lockers_of_one_name_share_their_secrets", "test_secrets_stay_when_nobody_holds_their_locker")

    def __init__(self, right: MemoryLocker, name: str, vault: Wrong) -> None:
        from qwasr_vault.memory import MemoryLocker

        super().__init__(MemoryLocker(Memory(), name), name, vault)


class FoldsNames(WrongLocker):
    breaks = ("test_names_of_secrets_are_any_unicode_text",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id.lower(), value)

    async def get(self, secret_id: str) -> bytes | None:
        return await self.right.get(secret_id.lower())


class StripsLockers(WrongLocker):
    breaks = ("test_names_of_lockers_are_any_unicode_text",)


class ShortNames(WrongLocker):
    breaks = ("test_names_have_up_to_512_bytes",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id[:500], value)


class JoinedNames(WrongLocker):
    """All secrets in one locker, told apart by `locker-secret`."""

    breaks = ("test_lockers_never_see_each_others_secrets",)

    def joined(self, secret_id: str) -> str:
        return f"{self.name}-{secret_id}"

    async def get(self, secret_id: str) -> bytes | None:
        return await self.right.get(self.joined(secret_id))

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(self.joined(secret_id), value)

    async def list_ids(self) -> list[str]:
        prefix = self.joined("")
        return [name.removeprefix(prefix) for name in await self.right.list_ids() if name.startswith(prefix)]


class ListsOneAtLeast(WrongLocker):
    breaks = ("test_an_empty_locker_lists_nothing",)

    async def list_ids(self) -> list[str]:
        return await self.right.list_ids() or [""]


class OnePage(WrongLocker):
    breaks = ("test_a_listing_has_every_name_once_in_the_order_of_code_points",)

    async def list_ids(self) -> list[str]:
        return (await self.right.list_ids())[:250]


class ListsInReverse(WrongLocker):
    breaks = ("test_a_listing_has_every_name_once_in_the_order_of_code_points",)

    async def list_ids(self) -> list[str]:
        return (await self.right.list_ids())[::-1]


class KeepsWhatItRead(WrongLocker):
    breaks = ("test_what_one_client_sets_another_reads",)

    def __init__(self, right: MemoryLocker, name: str, vault: Wrong) -> None:
        super().__init__(right, name, vault)
        self.read: dict[str, bytes] = {}

    async def get(self, secret_id: str) -> bytes | None:
        value = self.read.get(secret_id) or await self.right.get(secret_id)
        if value:
            self.read[secret_id] = value
        return value


class LosesConcurrentSets(WrongLocker):
    breaks = ("test_concurrent_sets_of_many_names_all_arrive",)

    async def set(self, secret_id: str, value: bytes) -> None:
        before = await self.right.list_ids()
        await asyncio.sleep(0)
        for name in await self.right.list_ids():
            if name not in before:
                await self.right.delete(name)
        await self.right.set(secret_id, value)


class WritesInParts(WrongLocker):
    breaks = ("test_a_reader_sees_the_old_secret_or_the_new_one",)

    async def set(self, secret_id: str, value: bytes) -> None:
        await self.right.set(secret_id, value[: len(value) // 2])
        await asyncio.sleep(0)
        await self.right.set(secret_id, value)


class MixesUpAnswers(WrongLocker):
    """Answers come in the order of the questions; a question that nobody waits for leaves its answer behind."""

    breaks = ("test_cancelled_calls_leave_others_their_own_answers",)

    def __init__(self, right: MemoryLocker, name: str, vault: Wrong) -> None:
        super().__init__(right, name, vault)
        self.answers: list[bytes | None] = []

    async def get(self, secret_id: str) -> bytes | None:
        self.answers.append(await self.right.get(secret_id))
        await asyncio.sleep(0)
        return self.answers.pop(0)


class LogsSecrets(WrongLocker):
    breaks = ("test_no_secret_is_in_a_log_line",)

    async def set(self, secret_id: str, value: bytes) -> None:
        _log.debug("setting %s to %s", secret_id, value)
        await self.right.set(secret_id, value)


class LogsSecretsInHex(WrongLocker):
    breaks = ("test_no_secret_is_in_a_log_line",)

    async def set(self, secret_id: str, value: bytes) -> None:
        _log.debug("PUT %s %s", secret_id, value.hex())
        await self.right.set(secret_id, value)


class ShowsSecrets(WrongLocker):
    breaks = ("test_no_secret_is_in_a_repr",)

    def __repr__(self) -> str:
        return f"ShowsSecrets({self.vault.secrets(self.name)})"


class QuotesSecrets(WrongLocker):
    breaks = ("test_no_secret_is_in_an_error",)

    async def set(self, secret_id: str, value: bytes) -> None:
        if len(value) > 1_000_000:
            raise TooLarge(f"this is too large: {value[:100]!r}…")
        await self.right.set(secret_id, value)


WRONG_LOCKERS = [
    member
    for member in list(vars().values())
    if isinstance(member, type) and issubclass(member, WrongLocker) and member is not WrongLocker
]
