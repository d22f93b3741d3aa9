"""The backend `system`: the machine's clocks and random source, and as much of the rest of it as is allowed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from qwasr.call import current_call
from qwasr.errors import OptionError
from qwasr.options import ConnectOptions, env
from qwasr_wasi.ends import ENDED
from qwasr_wasi.files.mounts import Mounts, parse_mounts
from qwasr_wasi.sockets.settings import SocketSettings, open_files_limit
from qwasr_wasi.stdio import LogSink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwasr_wasi.ends import ByteSink, ByteSource
    from qwasr_wasi.poll import Unwatch, Wake
    from qwasr_wasi.stdio import Meter

__all__ = ["LEVELS", "System", "SystemOptions"]

_NS_PER_MS: Final = 1_000_000
_LONGEST_TIMER_MS: Final = 24 * 3600 * 1000  # a later instant is waited for again; event loops differ in what they take
LEVELS: Final = {"stdout": logging.INFO, "stderr": logging.WARNING}
"""How what a guest prints is logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemOptions(SocketSettings):
    """What guests see of the process around them: nothing, unless it is named here.

    Args:
        env_allow: names of the environment variables that guests see.
        guest_env: further variables that guests see, and only they, as words ``NAME=value``, quoted as in a shell.
        guest_args: the guests' arguments in one line, quoted as in a shell.
        guest_log_bytes: how much of what one call prints is logged.
        mounts: folders that guests are given, each ``host:guest[:rw]``.
        mount_max_bytes: how much each of them that is writable may hold; ``None`` when that is not limited.
        mount_max_open: how many files, folders and streams all guests together may have open, and never more
            than a quarter of the files that the process may.
        mount_max_open_per_call: how many one call of a guest may have open.
        mount_threads: how many operations on files run at once.
        environment: the allowed variables with their values, and those of `guest_env`; `from_env` fills it.
    """

    env_allow: tuple[str, ...] = env(
        "QWASR_ENV_ALLOW", default=(), help="names of the environment variables that guests see, comma separated"
    )
    guest_env: str = env(
        "QWASR_GUEST_ENV",
        default="",
        secret=True,
        help="further variables that guests see, and only they: words NAME=value, quoted as in a shell",
    )
    guest_args: str = env("QWASR_GUEST_ARGS", default="", help="arguments of the guest, quoted as in a shell")
    guest_log_bytes: int = env(
        "QWASR_GUEST_LOG_BYTES",
        default=1024 * 1024,
        minimum=0,
        maximum=2**40,
        help="how much of what one call of a guest prints is logged, bytes, 100 more for each line; the rest is cut",
    )
    mounts: tuple[str, ...] = env(
        "QWASR_MOUNTS",
        default=(),
        help="folders that guests are given, host:guest[:rw], comma separated; read-only without rw",
    )
    mount_max_bytes: int | None = env(
        "QWASR_MOUNT_MAX_BYTES",
        default=None,
        minimum=0,
        maximum=2**62,
        help="how much each writable folder may hold, bytes, a name counting as 1 KiB; not limited when not set",
    )
    mount_max_open: int = env(
        "QWASR_MOUNT_MAX_OPEN",
        default=512,
        minimum=1,
        maximum=1_000_000,
        help="how many files, folders and streams over them all guests together may have open at once",
    )
    mount_max_open_per_call: int = env(
        "QWASR_MOUNT_MAX_OPEN_PER_CALL",
        default=128,
        minimum=1,
        maximum=1_000_000,
        help="how many files, folders and streams over them one call of a guest may have open at once",
    )
    mount_threads: int = env(
        "QWASR_MOUNT_THREADS",
        default=4,
        minimum=1,
        maximum=256,
        help="how many operations on files run at once, each in a thread",
    )
    environment: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check the mounts, and the quotes of arguments and variables."""
        super(SystemOptions, self).__post_init__()
        parse_mounts(self.mounts)
        _variables(self.guest_env)
        try:
            words = shlex.split(self.guest_args)
        except ValueError as error:
            message = f"QWASR_GUEST_ARGS={self.guest_args!r}: {error}; words are quoted as in a shell (SystemOptions)"
            raise OptionError(message) from None
        for number, word in enumerate(words, 1):
            if not _is_unicode(word):
                raise OptionError(f"argument {number} of the guest, {word!a}, is not UTF-8 (QWASR_GUEST_ARGS)")
        for name, value in self.environment:
            if not _is_unicode(name) or not _is_unicode(value):  # the value is not quoted: it may be a secret
                raise OptionError(f"the variable {name!a} that guests would see is not UTF-8")

    def __repr__(self) -> str:
        """Return names, and no value that a guest is given."""
        names = (variable.field for variable in self.variables() if not variable.secret)
        return f"SystemOptions({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read the options, and the variables that they allow; an allowed one that is not set is left out."""
        source = os.environ if environ is None else environ
        options = super(SystemOptions, cls).from_env(source, **overrides)
        if "environment" in overrides:
            return options
        allowed = {name: source[name] for name in options.env_allow if name in source}
        return dataclasses.replace(options, environment=tuple((allowed | _variables(options.guest_env)).items()))


def _is_unicode(text: str) -> bool:
    """Return whether a text can be given to a guest: Python keeps bytes that are not UTF-8 as halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _variables(words: str) -> dict[str, str]:
    """Return the variables that `SystemOptions.guest_env` says."""
    try:
        variables = dict(word.split("=", 1) for word in shlex.split(words))
    except ValueError:
        variables = {"": ""}
    if "" in variables:  # what is wrong is not quoted: it may be a secret
        message = "QWASR_GUEST_ENV does not fit: expected words NAME=value, quoted as in a shell (SystemOptions)"
        raise OptionError(message)
    return variables


class System:
    """The machine as guests see it; implements the Protocol `Wasi`.

    Its monotonic clock starts at 0 when it is made, so that guests do not learn how long the machine is up.
    """

    name: ClassVar[str] = "system"
    provides: ClassVar[tuple[str, ...]] = ("wasi",)
    schemes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[ConnectOptions]] = SystemOptions

    def __init__(self, options: SystemOptions | None = None) -> None:
        options = options or SystemOptions()
        self.environment = options.environment
        self.arguments = tuple(shlex.split(options.guest_args))
        self.sockets = options.socket_access()
        self.mounts = Mounts(
            parse_mounts(options.mounts),
            max_bytes=options.mount_max_bytes,
            max_open=min(options.mount_max_open, open_files_limit() // 4),  # sockets may take half
            max_open_each=options.mount_max_open_per_call,
            threads=options.mount_threads,
        )
        self.monotonic_resolution_ns = _resolution_ns("monotonic")
        self.wall_resolution_ns = _resolution_ns("time")
        self._log_bytes = options.guest_log_bytes
        self._started_ns = time.monotonic_ns()

    @classmethod
    async def connect(cls, options: SystemOptions) -> Self:
        """Return the machine with these options; raise `ConfigurationError` when a folder cannot be mounted."""
        return await asyncio.to_thread(cls, options) if options.mounts else cls(options)

    async def check(self) -> None:
        """Return: the machine is there."""

    async def close(self) -> None:
        """Finish what guests left to be written to files and connections, and close folders and sockets."""
        try:
            await self.sockets.close()
        finally:
            await self.mounts.close()

    def wall_ns(self) -> int:
        """Return the nanoseconds since 1970-01-01T00:00:00Z."""
        return max(0, time.time_ns())

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since this object was made."""
        return time.monotonic_ns() - self._started_ns

    def call_at(self, when_ns: int, wake: Wake) -> Unwatch:
        """Have `wake` called at `when_ns` or up to a millisecond later, and after a day at the latest."""
        # Whole milliseconds, rounded up: an event loop that fires a little early must not be asked again and again.
        delay_ms = min(-((self.monotonic_ns() - when_ns) // _NS_PER_MS), _LONGEST_TIMER_MS)
        return asyncio.get_running_loop().call_later(max(0, delay_ms) / 1000, wake).cancel

    def random_bytes(self, length: int) -> bytes:
        """Return bytes of the operating system's generator."""
        return os.urandom(length)

    def insecure_random_bytes(self, length: int) -> bytes:
        """Return bytes of the operating system's generator."""
        return os.urandom(length)

    def stdin(self) -> ByteSource:
        """Return an empty input."""
        return ENDED

    def output(self, name: Literal["stdout", "stderr"], call_id: str) -> ByteSink:
        """Return a sink that logs lines: what is printed as information, errors as warnings."""
        try:
            meter: Meter | None = current_call()
        except LookupError:  # an engine without a runtime around it
            meter = None
        return LogSink(LEVELS[name], call_id, self._log_bytes, meter)


def _resolution_ns(clock: Literal["monotonic", "time"]) -> int:
    return max(1, round(time.get_clock_info(clock).resolution * 1_000_000_000))
