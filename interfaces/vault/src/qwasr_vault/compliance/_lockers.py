"""Lockers for the rules, and what gives a secret away."""

from __future__ import annotations

import secrets
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr_vault.protocol import Locker, Vault

__all__ = ["fresh_locker", "fresh_name", "fresh_secret", "traces_of"]

_BITS_OF_BASE64 = 6


def fresh_name() -> str:
    """Return a name that nobody else uses."""
    return f"compliance-{secrets.token_hex(8)}"


async def fresh_locker(backend: Vault) -> Locker:
    """Open a locker that nobody else uses."""
    return await backend.open_locker(fresh_name())


def fresh_secret() -> bytes:
    """Return a secret that is in nothing else."""
    return f"secret{secrets.token_hex(16)}".encode()


def traces_of(secret: bytes) -> list[bytes]:
    """Return what a text that gives a secret away has in it: the secret, in hexadecimal digits, or in base64."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for before in range(3):  # base64 looks different with what stands before
        encoded = b64encode(bytes(before) + secret)
        begin = -(-before * 8 // _BITS_OF_BASE64)
        found.append(encoded[begin : (before + len(secret)) * 8 // _BITS_OF_BASE64])
    return found
