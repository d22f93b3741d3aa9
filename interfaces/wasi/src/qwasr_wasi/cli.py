"""wasi:cli: environment, exit, standard streams, terminals.

A guest sees the variables that `QWASR_ENV_ALLOW` names and those of `QWASR_GUEST_ENV`, the arguments of
`QWASR_GUEST_ARGS`, an empty standard input and no terminal; what it prints goes to the log. One that is run as a
command has what its `qwasr.command.Command` says instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from qwasr.call import current_call
from qwasr.errors import GuestExit
from qwasr.hosting import HostInterface, HostResource
from qwasr.values import Ok
from qwasr_wasi.descriptors import command_input, command_output
from qwasr_wasi.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from qwasr.call import CallInfo
    from qwasr.command import Command
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
        """Return the variables that the guest may see."""
        command = _command()
        if command is not None and command.environment is not None:
            return list(command.environment.items())
        return list(self._system.environment)

    def get_arguments(self) -> list[str]:
        """Return the component's name, as programs expect, and the arguments."""
        call = _call()
        if call is None:
            return ["guest", *self._system.arguments]
        command = call.command
        if command is not None and command.arguments is not None:
            return [call.guest, *command.arguments]
        return [call.guest, *self._system.arguments]

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
        """Return the standard input; a command's other handles on it read on where this one ends."""
        return InputStream(command_input(_call()) or self._system.stdin())


class Stdout(HostInterface, wit="wasi:cli/stdout"):
    """wasi:cli/stdout: the standard output."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_stdout(self) -> OutputStream:
        """Return the standard output of this call."""
        call = _call()
        return OutputStream(command_output(call, "stdout") or self._system.output("stdout", call.id if call else "-"))


class Stderr(HostInterface, wit="wasi:cli/stderr"):
    """wasi:cli/stderr: the standard error."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def get_stderr(self) -> OutputStream:
        """Return the standard error of this call."""
        call = _call()
        return OutputStream(command_output(call, "stderr") or self._system.output("stderr", call.id if call else "-"))


def _call() -> CallInfo | None:
    try:
        return current_call()
    except LookupError:  # an engine without a runtime around it
        return None


def _command() -> Command | None:
    call = _call()
    return call.command if call is not None else None


class TerminalInput(HostResource):
    """wasi:cli/terminal-input.terminal-input: a terminal to read from; it can do nothing but be there."""

    __slots__ = ()


class TerminalOutput(HostResource):
    """wasi:cli/terminal-output.terminal-output: a terminal to write to; it can do nothing but be there."""

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
        """Return one if it is a terminal, which only a command's can be."""
        command = _command()
        return TerminalInput() if command is not None and _is_terminal(command.stdin) else None


class TerminalStdout(HostInterface, wit="wasi:cli/terminal-stdout"):
    """wasi:cli/terminal-stdout: whether the standard output is a terminal."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_terminal_stdout(self) -> TerminalOutput | None:
        """Return one if it is a terminal, which only a command's can be."""
        command = _command()
        return TerminalOutput() if command is not None and _is_terminal(command.stdout) else None


class TerminalStderr(HostInterface, wit="wasi:cli/terminal-stderr"):
    """wasi:cli/terminal-stderr: whether the standard error is a terminal."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""

    def get_terminal_stderr(self) -> TerminalOutput | None:
        """Return one if it is a terminal, which only a command's can be."""
        command = _command()
        return TerminalOutput() if command is not None and _is_terminal(command.stderr) else None


def _is_terminal(descriptor: int | None) -> bool:
    return descriptor is not None and os.isatty(descriptor)
