"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr.errors import StoreNotAllowed
from qwasr_vault import Memory

if TYPE_CHECKING:
    from qwasr_vault import Vault


class OneBackend:
    """The kernel's `Backends`, with one backend for every locker but `forbidden`."""

    def __init__(self, backend: Vault) -> None:
        self.default = backend

    def named(self, identifier: str, *, claim: bool = True) -> Vault:
        if identifier == "forbidden":
            msg = "the store 'forbidden' is not listed in QWASR_VAULT_STORES"
            raise StoreNotAllowed(msg)
        return self.default

    def each(self) -> list[Vault]:
        return [self.default]


@pytest.fixture
def backends() -> OneBackend:
    return OneBackend(Memory())
