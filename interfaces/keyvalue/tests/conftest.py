"""What several test files here use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr.errors import StoreNotAllowed
from qwasr_keyvalue import Memory

if TYPE_CHECKING:
    from qwasr_keyvalue import KeyValue


class OneBackend:
    """The kernel's `Backends`, with one backend for every store but `forbidden`."""

    def __init__(self, backend: KeyValue) -> None:
        self.default = backend

    def named(self, identifier: str, *, claim: bool = True) -> KeyValue:
        if identifier == "forbidden":
            msg = "the store 'forbidden' is not listed in QWASR_KEYVALUE_STORES"
            raise StoreNotAllowed(msg)
        return self.default

    def each(self) -> list[KeyValue]:
        return [self.default]


@pytest.fixture
def backends() -> OneBackend:
    return OneBackend(Memory())
