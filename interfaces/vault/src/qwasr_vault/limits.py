"""Bounds of what a guest may ask for, the same on every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_vault.errors import TooLarge, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_LISTED_BYTES", "MAX_NAME_BYTES", "MAX_SECRET_BYTES", "check_listing", "check_name", "check_secret"]

MAX_NAME_BYTES: Final = 512
"""The longest name of a locker or a secret, as UTF-8."""

MAX_SECRET_BYTES: Final = 64 * 1024
"""The largest secret."""


MAX_LISTED_BYTES: Final = 2 * 1024 * 1024
"""All names of one listing together, as UTF-8; the draft has no pages."""


def check_name(name: str, what: str) -> None:
    """Raise when a name is empty or too long."""
    if not name:
        raise VaultError(f"the name of a {what} is not empty")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise TooLarge(f"the name of a {what} is longer than {MAX_NAME_BYTES} bytes")


def check_secret(value: bytes) -> None:
    """Raise `TooLarge` when a secret is above its bound."""
    if len(value) > MAX_SECRET_BYTES:
        raise TooLarge(f"the secret is larger than {MAX_SECRET_BYTES} bytes")


def check_listing(names: Iterable[str]) -> None:
    """Raise `TooLarge` when the names of a locker's secrets are too many for one answer."""
    if sum(len(name.encode()) for name in names) > MAX_LISTED_BYTES:
        raise TooLarge(f"the locker has too many secrets to list: their names are above {MAX_LISTED_BYTES} bytes")
