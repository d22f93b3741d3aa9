"""A component as a command: `wasi:cli/run` called once, with arguments, variables and standard streams of its own.

::

    async with Runtime("tool.wasm") as runtime:
        code = await run_command(runtime.guest, Command(arguments=("-n", "a.txt"), stdout=file.fileno()))

A command takes as long as it takes: there is no deadline, and no limit of its computing time. All other limits of a
guest hold. Cancelling the task that runs it ends the guest at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from qwasr.call import _current, new_call_id
from qwasr.errors import GuestError, GuestExit
from qwasr.guest import GuestCall
from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from qwasr.guest import Guest

__all__ = ["RUN", "Command", "CommandCall", "CommandStream", "run_command"]

RUN: Final = "wasi:cli/run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What one run of a command is given.

    Attributes:
        arguments: its arguments without the program's name; ``None`` for those of `QWASR_GUEST_ARGS`.
        environment: all its variables; ``None`` for those that are allowed.
        stdin: file descriptor of its standard input; ``None`` for an empty one.
        stdout: file descriptor of its standard output; ``None`` has lines logged.
        stderr: file descriptor of its standard error; ``None`` has lines logged.

    The descriptors stay the caller's: they are not closed, and whether they block is not changed.
    """

    arguments: tuple[str, ...] | None = None
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


class CommandStream(Protocol):
    """A standard stream of one command, whatever the guest does with its handles on it."""

    async def finish(self) -> None:
        """Return when everything that the guest wrote has left this process; raise `GuestExit` when it cannot."""
        ...

    def release(self) -> None:
        """Let go of the event loop, and of what was read ahead."""
        ...


class CommandCall(GuestCall):
    """A call that is one run of a command: a fresh instance, never one that served before.

    Attributes:
        streams: the standard streams that the guest has asked for, by name: asking again gives the same.
    """

    __slots__ = ("_command", "streams")

    def __init__(self, guest: Guest, command: Command) -> None:
        super().__init__(guest, new_call_id())
        self._command = command
        self.streams: dict[str, CommandStream] = {}

    @property
    def command(self) -> Command:
        """What this run is given."""
        return self._command

    async def __aenter__(self) -> Self:
        self.store = store = self._guest._linked.store()  # a program starts once, so `QWASR_REUSE` is not for it
        self._cpu_before_s = store.cpu_s
        self._token = _current.set(self)
        self.lift_deadline()
        self.lift_cpu_limit()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self.store.close()
        for stream in self.streams.values():
            stream.release()


async def run_command(guest: Guest, command: Command) -> int:
    """Run a component that exports `wasi:cli/run`.

    Returns:
        Its exit code: what it gave to `wasi:cli/exit`, or else 1 when it returned an error, and 0.

    Raises:
        ComponentError: it exports no `wasi:cli/run`.
        GuestError: it trapped, used too much of something, or a host function failed.
    """
    run = guest.function(RUN, "run")
    async with CommandCall(guest, command) as call:
        code, failure = 0, None
        try:
            await call.invoke(run)
        except WitError:
            code = 1
        except GuestExit as guest_exit:
            code = guest_exit.code
        except GuestError as error:
            failure = error
        for stream in call.streams.values():
            try:
                await stream.finish()
            except GuestExit as lost:  # no one reads what was left to write, or it could not be written
                code = lost.code
        if failure is not None:
            raise failure
    return code
