"""What a vault backend implements.

A backend is any class that has `name`, `provides`, `schemes`, `Options`, `connect`, `check` and `close` (see
`qwasr.protocols.Backend`) and `open_locker`::

    class HashiCorpVault:
        async def open_locker(self, identifier: str) -> Locker: ...

The class `qwasr_vault.compliance.VaultCompliance` proves a backend; each sentence below is a test there.

Rules for every locker:

- Names of lockers and secrets are text of 1 to 512 bytes in UTF-8, whatever characters they have. Lockers never see
  each other's secrets: `("a/b", "c")` and `("a", "b/c")` are two.
- A secret is any bytes, the empty ones included, and 64 KiB at least fit. No secret is not the same as an empty one.
- A secret is read when it is asked for, and kept no longer than the backend's documentation says.
- What a client writes it reads at once. Each method is atomic: a reader sees the old secret or the new one.
- A backend that only reads raises `AccessDenied` for `set` and `delete`, and nothing changes.
- No secret is in a message, a log line or a `repr`.
- Every call ends within the backend's own time-out, with `Unavailable` if the service does not answer; its message has
  the word `unavailable`, since that is how guests tell it. When the service is back it is used again.
- What was acknowledged is there after the service was killed.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Locker", "Vault"]


class Locker(Protocol):
    """A named set of secrets."""

    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, `None` when there is none of that name."""
        ...

    async def set(self, secret_id: str, value: bytes) -> None:
        """Set the secret, whether it exists or not.

        Raises:
            AccessDenied: this vault only reads.
        """
        ...

    async def delete(self, secret_id: str) -> None:
        """Delete the secret if it exists.

        Raises:
            AccessDenied: this vault only reads.
        """
        ...

    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        ...

    async def list_ids(self) -> list[str]:
        """Return the names of all secrets, in the order of their code points."""
        ...


class Vault(Protocol):
    """The vault side of a backend."""

    async def open_locker(self, identifier: str) -> Locker:
        """Return the locker of that name; lockers of one name share their secrets.

        Raises:
            NoSuchLocker: the vault makes no lockers and has none of that name.
            AccessDenied: the service refuses it.
            Unavailable: the service does not answer.
        """
        ...
