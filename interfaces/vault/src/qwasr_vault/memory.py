"""The embedded default: secrets in this process, gone with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from qwasr.options import ConnectOptions, env
from qwasr_vault.errors import TooLarge

__all__ = ["Memory", "MemoryOptions"]

_MIB: Final = 1024 * 1024
_ENTRY_BYTES: Final = 256  # what an entry costs besides its name and its value


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions(ConnectOptions):
    """How much is kept."""

    max_bytes: int = env(
        "QWASR_VAULT_MEMORY_BYTES",
        default=16 * _MIB,
        minimum=1024,
        maximum=1024 * 1024 * _MIB,
        help="size of all secrets of the memory backend together, bytes; setting one above it is an error",
    )


class Memory:
    """Secrets in this process.

    Args:
        options: how much is kept.
    """

    name: ClassVar[str] = "memory"
    provides: ClassVar[tuple[str, ...]] = ("vault",)
    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    Options: ClassVar[type[ConnectOptions]] = MemoryOptions
    per_process: ClassVar[bool] = True  # refused where several workers serve one component

    def __init__(self, options: MemoryOptions | None = None) -> None:
        self._max_bytes = (options or MemoryOptions()).max_bytes
        self._lockers: dict[str, dict[str, bytes]] = {}
        self._used_bytes = 0

    @property
    def used_bytes(self) -> int:
        """The size of all secrets together, names included."""
        return self._used_bytes

    @classmethod
    async def connect(cls, options: MemoryOptions) -> Self:
        """Return an empty vault."""
        return cls(options)

    async def check(self) -> None:
        """Be usable."""

    async def close(self) -> None:
        """Forget everything."""
        self._lockers.clear()
        self._used_bytes = 0

    async def open_locker(self, identifier: str) -> MemoryLocker:
        """Return the locker of that name."""
        return MemoryLocker(self, identifier)

    def lockers(self) -> list[str]:
        """Return the names of the lockers that have secrets."""
        return sorted(self._lockers)

    def secrets(self, locker: str) -> dict[str, bytes]:
        """Return a locker's secrets, to be read."""
        return self._lockers.get(locker, {})

    def put(self, locker: str, secret_id: str, value: bytes) -> None:
        """Set a secret.

        Raises:
            TooLarge: the vault is full; nothing was written.
        """
        old = self.secrets(locker).get(secret_id)
        more = len(value) - len(old) if old is not None else _size(locker, secret_id, value)
        if more > 0 and self._used_bytes + more > self._max_bytes:
            raise TooLarge(f"the vault is full: {self._max_bytes} bytes (QWASR_VAULT_MEMORY_BYTES)")
        self._lockers.setdefault(locker, {})[secret_id] = value
        self._used_bytes += more

    def remove(self, locker: str, secret_id: str) -> None:
        """Delete a secret if it exists."""
        secrets = self.secrets(locker)
        if secret_id in secrets:
            self._used_bytes -= _size(locker, secret_id, secrets.pop(secret_id))
            if not secrets:
                del self._lockers[locker]


def _size(locker: str, secret_id: str, value: bytes) -> int:
    return len(locker) + len(secret_id) + len(value) + _ENTRY_BYTES


class MemoryLocker:
    """One locker of a `Memory`."""

    def __init__(self, vault: Memory, name: str) -> None:
        self._vault = vault
        self._name = name

    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, or `None`."""
        return self._vault.secrets(self._name).get(secret_id)

    async def set(self, secret_id: str, value: bytes) -> None:
        """Set the secret."""
        self._vault.put(self._name, secret_id, bytes(value))

    async def delete(self, secret_id: str) -> None:
        """Delete the secret if it exists."""
        self._vault.remove(self._name, secret_id)

    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        return secret_id in self._vault.secrets(self._name)

    async def list_ids(self) -> list[str]:
        """Return the names of all secrets."""
        return sorted(self._vault.secrets(self._name))
