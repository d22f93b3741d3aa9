"""What a vault backend raises, and what the guest sees of it.

::

    VaultError              `other(message)`
    ├── NoSuchLocker        `no-such-store`: there is no locker of that name
    ├── AccessDenied        `access-denied`: the vault refuses this locker or secret, or does not let it be changed
    ├── Unavailable         `other(message)`: the vault does not answer, or its file cannot be used
    └── TooLarge            `other(message)`: a name, a secret or all of them together are larger than their bound

The message is what the guest reads, so it names no secret and no address.
"""

from __future__ import annotations

from typing import ClassVar

from qwasr.errors import QwasrError

__all__ = ["AccessDenied", "NoSuchLocker", "TooLarge", "Unavailable", "VaultError"]


class VaultError(QwasrError):
    """An operation failed in a way that the guest is told about.

    Attributes:
        case: the case of `wasi:vault/vault.error` that the guest gets.
    """

    case: ClassVar[str] = "other"


class NoSuchLocker(VaultError):
    """There is no locker of that name, and none is made."""

    case = "no-such-store"


class AccessDenied(VaultError):
    """The vault refuses this locker or secret, or does not let it be changed."""

    case = "access-denied"


class Unavailable(VaultError):
    """The vault does not answer now, or its file cannot be used; the message says `unavailable`."""


class TooLarge(VaultError):
    """A name, a secret or all secrets together are larger than their bound; nothing was written."""
