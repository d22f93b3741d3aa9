"""A vault for tests: lockers that are dictionaries.

::

    async def test_the_key_is_replaced(guest):
        guest.vault["billing"]["api-key"] = b"open sesame"
        await guest.post("/replace-keys")
        assert guest.vault["billing"]["api-key"] != b"open sesame"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

from qwasr.options import MASK
from qwasr.testing.fakes import FakeBackend
from qwasr_vault.memory import Memory

if TYPE_CHECKING:
    from qwasr.testing.clock import Clock

__all__ = ["FakeLocker", "FakeVault", "Secrets"]


class Secrets(MutableMapping[str, bytes]):
    """A locker as a dictionary, for the test itself: nothing of it is recorded, delayed or fails.

    Its `repr` shows names, and no secret.

    Args:
        memory: where they are.
        locker: the locker's name.
    """

    def __init__(self, memory: Memory, locker: str) -> None:
        self._memory = memory
        self._locker = locker

    def __getitem__(self, secret_id: str) -> bytes:
        """Return a secret."""
        return self._memory.secrets(self._locker)[secret_id]

    def __setitem__(self, secret_id: str, value: bytes) -> None:
        """Set a secret."""
        self._memory.put(self._locker, secret_id, bytes(value))

    def __delitem__(self, secret_id: str) -> None:
        """Delete a secret."""
        if secret_id not in self:
            raise KeyError(secret_id)
        self._memory.remove(self._locker, secret_id)

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(sorted(self._memory.secrets(self._locker)))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._memory.secrets(self._locker))

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {MASK}' for name in self)}}}"


class FakeVault(FakeBackend, Mapping[str, MutableMapping[str, bytes]]):
    """The embedded vault; a mapping of lockers' names to lockers.

    Every name has a locker, as for guests; those that hold a secret are listed. Calls are remembered with the names of
    locker and secret, never with a secret.

    Args:
        clock: the test's time; nothing here goes by it.
    """

    provides: ClassVar[tuple[str, ...]] = ("vault",)

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._memory = Memory()

    def __getitem__(self, locker: str) -> Secrets:
        """Return a locker; one that has no secrets is empty."""
        return Secrets(self._memory, locker)

    def __iter__(self) -> Iterator[str]:
        """Return the names of the lockers that have secrets."""
        return iter(self._memory.lockers())

    def __len__(self) -> int:
        """Return how many lockers have secrets."""
        return len(self._memory.lockers())

    async def open_locker(self, identifier: str) -> FakeLocker:
        """Return the locker of that name, for the guest."""
        await self.step("open_locker", identifier)
        return FakeLocker(self, identifier)


class FakeLocker:
    """One locker of a `FakeVault`, as the guest has it."""

    def __init__(self, vault: FakeVault, name: str) -> None:
        self._vault = vault
        self._name = name

    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, or `None`."""
        await self._vault.step("get", self._name, secret_id)
        return self._vault[self._name].get(secret_id)

    async def set(self, secret_id: str, value: bytes) -> None:
        """Set the secret."""
        await self._vault.step("set", self._name, secret_id)
        self._vault[self._name][secret_id] = value

    async def delete(self, secret_id: str) -> None:
        """Delete the secret if it exists."""
        await self._vault.step("delete", self._name, secret_id)
        self._vault[self._name].pop(secret_id, None)

    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        await self._vault.step("exists", self._name, secret_id)
        return secret_id in self._vault[self._name]

    async def list_ids(self) -> list[str]:
        """Return the names of all secrets."""
        await self._vault.step("list_ids", self._name)
        return list(self._vault[self._name])
