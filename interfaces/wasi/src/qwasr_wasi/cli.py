"""wasi:cli: environment, exit, standard streams, terminals.

A guest sees the variables that `QWASR_ENV_ALLOW` names, the arguments of `QWASR_GUEST_ARGS`, an empty standard input
and no terminal; what it prints goes to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from qwasr.call import current_call
from qwasr.errors import GuestExit
from qwasr.hosting import HostInterface, HostResource
from qwasr.values import Ok
from qwasr_wasi.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr.values import Err
    from qwasr_wasi.protocol import Wasi

__all__ = [
    "Environment",
    "Exit",
    "Stderr",
    "Stdin",
    "Stdout",
    "TerminalInput",
    "TerminalInputHost",
    "TerminalOutput",
    "TerminalOutputHost",
    "TerminalStderr",
    "TerminalStdin",
    "TerminalStdout",
]


class Environment(HostInterface, wit="wasi:cli/environment"):
    """wasi:cli/environment: variables, arguments, folder."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_environment(self) -> list[tuple[str, str]]:
        """Return the variables that guests may see."""
        return list(self._system.environment)

    def get_arguments(self) -> list[str]:
        """Return the component's name, as programs expect, and the arguments."""
        try:
            program = current_call().guest
        except LookupError:  # an engine without a runtime around it
            program = "guest"
        return [program, *self._system.arguments]

    def initial_cwd(self) -> str | None:
        """Return nothing: there is no folder to be in."""
        return None


class Exit(HostInterface, wit="wasi:cli/exit"):
    """wasi:cli/exit: end this guest's call."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def exit(self, status: Ok | Err) -> NoReturn:
        """End the call, with status 0 or 1."""
        raise GuestExit(0 if isinstance(status, Ok) else 1)

    def exit_with_code(self, status_code: int) -> NoReturn:
        """End the call with this status."""
        raise GuestExit(status_code)


class Stdin(HostInterface, wit="wasi:cli/stdin"):
    """wasi:cli/stdin: the standard input."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_stdin(self) -> InputStream:
        """Return the standard input."""
        return InputStream(self._system.stdin())


class Stdout(HostInterface, wit="wasi:cli/stdout"):
    """wasi:cli/stdout: the standard output."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_stdout(self) -> OutputStream:
        """Return the standard output of this call."""
        return OutputStream(self._system.output("stdout", _call_id()))


class Stderr(HostInterface, wit="wasi:cli/stderr"):
    """wasi:cli/stderr: the standard error."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_stderr(self) -> OutputStream:
        """Return the standard error of this call."""
        return OutputStream(self._system.output("stderr", _call_id()))


def _call_id() -> str:
    try:
        return current_call().id
    except LookupError:  # an engine without a runtime around it
        return "-"


class TerminalInput(HostResource):
    """wasi:cli/terminal-input.terminal-input: a terminal to read from; no guest has one."""

    __slots__ = ()


class TerminalOutput(HostResource):
    """wasi:cli/terminal-output.terminal-output: a terminal to write to; no guest has one."""

    __slots__ = ()


class TerminalInputHost(HostInterface, wit="wasi:cli/terminal-input", resources=(TerminalInput,)):
    """wasi:cli/terminal-input: the resource `terminal-input`."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class TerminalOutputHost(HostInterface, wit="wasi:cli/terminal-output", resources=(TerminalOutput,)):
    """wasi:cli/terminal-output: the resource `terminal-output`."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class TerminalStdin(HostInterface, wit="wasi:cli/terminal-stdin"):
    """wasi:cli/terminal-stdin: whether the standard input is a terminal."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_terminal_stdin(self) -> TerminalInput | None:
        """Return nothing: it is none."""
        return None


class TerminalStdout(HostInterface, wit="wasi:cli/terminal-stdout"):
    """wasi:cli/terminal-stdout: whether the standard output is a terminal."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_terminal_stdout(self) -> TerminalOutput | None:
        """Return nothing: it is none."""
        return None


class TerminalStderr(HostInterface, wit="wasi:cli/terminal-stderr"):
    """wasi:cli/terminal-stderr: whether the standard error is a terminal."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_terminal_stderr(self) -> TerminalOutput | None:
        """Return nothing: it is none."""
        return None
