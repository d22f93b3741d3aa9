"""A machine for tests: the same times, the same chance, every time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Literal

from qwasr.testing.clock import NEW_YEAR_2026_NS, Clock
from qwasr_wasi.bytestreams import BytesSource
from qwasr_wasi.stdio import LogSink
from qwasr_wasi.system import LEVELS, System, SystemOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwasr_wasi.ends import ByteSink, ByteSource
    from qwasr_wasi.poll import Unwatch, Wake

__all__ = ["FixedSystem"]

_KEPT_BYTES: Final = 16 * 1024 * 1024  # of what guests print in one test


class FixedSystem(System):
    """A machine whose clocks stand still and whose chance is known.

    Time moves in two ways: `advance`, and a guest's own wait, which takes as long as it says and then moves the clocks
    by exactly that much.

    Args:
        clock: the test's time, and the seed of its chance; one of its own when not given.
        seed: what all random bytes follow from, when there is no clock.
        wall_ns: the time of day at the beginning, in nanoseconds since 1970, when there is no clock.
        environment: the variables that guests see.
        arguments: the guests' arguments.
        mounts: folders that guests are given, each ``host:guest[:rw]``; `close` closes them.

    Attributes:
        clock: the time.
        arguments: the guests' arguments; a test may set others.
        input: what each call of a guest reads as its standard input; a test may set it.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        seed: int = 0,
        wall_ns: int = NEW_YEAR_2026_NS,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        mounts: Sequence[str] = (),
    ) -> None:
        super().__init__(SystemOptions(environment=tuple((environment or {}).items()), mounts=tuple(mounts)))
        self.arguments = tuple(arguments)
        self.clock = Clock(seed=seed, wall_ns=wall_ns) if clock is None else clock
        self._random = random.Random(self.clock.seed)  # noqa: S311 - to be foretold is its purpose
        self.input = b""
        self._printed: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}

    @property
    def stdout(self) -> str:
        """What guests have printed so far, up to 16 MiB."""
        return self._printed["stdout"].decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What guests have printed as errors so far, up to 16 MiB."""
        return self._printed["stderr"].decode("utf-8", "replace")

    @property
    def seed(self) -> int:
        """What all random bytes follow from; setting it begins anew."""
        return self.clock.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self.clock.seed = seed
        self._random.seed(seed)

    def setenv(self, name: str, value: str) -> None:
        """Let guests see a variable from their next call on."""
        others = [(other, text) for other, text in self.environment if other != name]
        self.environment = (*others, (name, value))

    def wall_ns(self) -> int:
        """Return the fixed time of day plus what was moved."""
        return self.clock.wall_ns()

    def monotonic_ns(self) -> int:
        """Return what was moved."""
        return self.clock.monotonic_ns()

    def advance(self, seconds: float) -> None:
        """Move both clocks, and wake guests whose time has come."""
        self.clock.advance(seconds)

    def call_at(self, when_ns: int, wake: Wake) -> Unwatch:
        """Have `wake` called when the clock is moved, or after the wait itself, which moves the clock."""
        return self.clock.call_at(when_ns, wake)

    def random_bytes(self, length: int) -> bytes:
        """Return the next bytes that follow from the seed."""
        return self._random.randbytes(length)

    def insecure_random_bytes(self, length: int) -> bytes:
        """Return the next bytes that follow from the seed."""
        return self._random.randbytes(length)

    def stdin(self) -> ByteSource:
        """Return the input."""
        return BytesSource(self.input) if self.input else super().stdin()

    def output(self, name: Literal["stdout", "stderr"], call_id: str) -> ByteSink:
        """Return a sink that logs lines, and keeps what was printed."""
        return _KeepingSink(LEVELS[name], call_id, self._printed[name])


class _KeepingSink(LogSink):
    """Logs lines, and keeps them."""

    __slots__ = ("_kept",)

    def __init__(self, level: int, call_id: str, kept: bytearray) -> None:
        super().__init__(level, call_id)
        self._kept = kept

    def write(self, data: bytes) -> None:
        """Keep the bytes, and log the complete lines."""
        self._kept += data[: max(0, _KEPT_BYTES - len(self._kept))]
        super().write(data)
