"""wasi:vault@0.1.0-draft: lockers of secrets.

The signatures are those of the draft; semantics are told in `qwasr_vault.protocol`, bounds in `qwasr_vault.limits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface, HostResource
from qwasr_vault._answers import host_function
from qwasr_vault.limits import check_listing, check_name, check_secret

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_vault import protocol

__all__ = ["Locker", "Vault"]


class Locker(HostResource):
    """wasi:vault/vault.locker: a named set of secrets."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: protocol.Locker) -> None:
        self._secrets = secrets

    @host_function
    async def get(self, secret_id: str) -> bytes | None:
        """Return the secret, `none` when there is none of that name."""
        check_name(secret_id, "secret")
        value = await self._secrets.get(secret_id)
        if value is not None:
            check_secret(value)
        return value

    @host_function
    async def set(self, secret_id: str, value: bytes) -> None:
        """Set the secret, whether it exists or not."""
        check_name(secret_id, "secret")
        check_secret(value)
        await self._secrets.set(secret_id, value)

    @host_function
    async def delete(self, secret_id: str) -> None:
        """Delete the secret if it exists."""
        check_name(secret_id, "secret")
        await self._secrets.delete(secret_id)

    @host_function
    async def exists(self, secret_id: str) -> bool:
        """Return whether there is a secret of that name."""
        check_name(secret_id, "secret")
        return await self._secrets.exists(secret_id)

    @host_function
    async def list_ids(self) -> list[str]:
        """Return the names of all secrets."""
        names = await self._secrets.list_ids()
        check_listing(names)
        return names


class Vault(HostInterface, wit="wasi:vault/vault", resources=(Locker,)):
    """wasi:vault/vault: open a locker, then read and write its secrets."""

    def __init__(self, backends: Backends[protocol.Vault]) -> None:
        self._backends = backends

    @host_function
    async def open(self, locker_id: str) -> Locker:
        """Open a locker."""
        check_name(locker_id, "locker")
        return Locker(await self._backends.named(locker_id).open_locker(locker_id))
