"""The `qwasr` command: one file per subcommand, imported when it is used."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from qwasr.errors import QwasrError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.registry import Registry

__all__ = ["command", "main"]

_OWN_COMMANDS: Final = ("run", "doctor", "compile", "inspect", "plugins", "env", "wit", "new", "completion")
EXIT_CODES: Final = """\b
Exit codes:
  0  done; after SIGTERM or SIGINT: drained and stopped
  1  the guest failed
  2  a flag, variable or file is wrong
  3  the file is not a component that can run, or has nothing to serve
  4  a plug-in or an import is missing
  5  a backend cannot be connected
  6  an address cannot be listened on

A worker that cannot start has the code that it would have alone."""


class Commands(click.Group):
    """Our commands by name, and those of plug-ins, which are looked for only when ours do not fit."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return our commands, then those of plug-ins in alphabetical order."""
        return [*_OWN_COMMANDS, *sorted({command.name or "" for command in _registry(ctx).commands})]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, importing no other."""
        if cmd_name in _OWN_COMMANDS:
            found: click.Command = import_module(f"qwasr.cli.{cmd_name}").command
            return found
        return next((command for command in _registry(ctx).commands if command.name == cmd_name), None)


def _registry(ctx: click.Context) -> Registry:
    from qwasr.registry import Registry

    if not isinstance(ctx.obj, Registry):
        ctx.obj = Registry(environ=os.environ)
    return ctx.obj


@click.command(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qwasr-kernel", prog_name="qwasr", message="%(prog)s %(version)s")
def command() -> None:
    """Run WebAssembly components as servers."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: the words after `qwasr`; those of the process when not given.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # a closed one would be given to something else
        pass
    os.close(descriptor)
    gc.disable()  # what importing makes stays: collecting it again and again takes a tenth of a start; see `run`
    try:
        code = command.main(args=arguments, prog_name="qwasr", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except QwasrError as error:
        # One paragraph, whatever a message was put together from.
        click.echo(f"qwasr: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    finally:
        gc.enable()
    sys.exit(code if isinstance(code, int) else 0)
