"""wasi:random: bytes that nobody can foretell, and bytes that only look so.

All of them come from the operating system's generator unless a test fixes them: a slower guest is better than one whose
author took the wrong interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.errors import GuestTrap
from qwasr.hosting import HostInterface

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.protocol import Wasi

__all__ = ["MAX_RANDOM_BYTES", "Insecure", "InsecureSeed", "Random"]

MAX_RANDOM_BYTES: Final = 2 * 1024 * 1024
"""The most random bytes in one call; a guest that asks for more traps, since the WIT has no error to answer."""


class Random(HostInterface, wit="wasi:random/random"):
    """wasi:random/random: unpredictable bytes."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_random_bytes(self, len: int) -> bytes:  # noqa: A002 - the WIT's name
        """Return `len` bytes, at most 2 MiB."""
        return self._system.random_bytes(_checked("random.get-random-bytes", len))

    def get_random_u64(self) -> int:
        """Return one of the 2**64 numbers."""
        return _u64(self._system.random_bytes(8))


class Insecure(HostInterface, wit="wasi:random/insecure"):
    """wasi:random/insecure: bytes that look random."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_insecure_random_bytes(self, len: int) -> bytes:  # noqa: A002 - the WIT's name
        """Return `len` bytes, at most 2 MiB."""
        return self._system.insecure_random_bytes(_checked("insecure.get-insecure-random-bytes", len))

    def get_insecure_random_u64(self) -> int:
        """Return one of the 2**64 numbers."""
        return _u64(self._system.insecure_random_bytes(8))


class InsecureSeed(HostInterface, wit="wasi:random/insecure-seed"):
    """wasi:random/insecure-seed: what a guest's hash tables start with."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def insecure_seed(self) -> tuple[int, int]:
        """Return 128 bits."""
        seed = self._system.insecure_random_bytes(16)
        return _u64(seed[:8]), _u64(seed[8:])


def _checked(function: str, length: int) -> int:
    if length > MAX_RANDOM_BYTES:
        raise GuestTrap(f"wasi:random/{function} of {length} bytes: {MAX_RANDOM_BYTES} are the most in one call")
    return length


def _u64(data: bytes) -> int:
    return int.from_bytes(data, "little")
