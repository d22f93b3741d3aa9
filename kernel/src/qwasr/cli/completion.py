"""`qwasr completion`: what a shell needs to complete our command line."""

from __future__ import annotations

import click

_PROGRAM = "qwasr"
_VARIABLE = "_QWASR_COMPLETE"  # what click looks at to tell a shell's question from a user's command
_WHERE = {
    "bash": "source <(qwasr completion bash)             # in ~/.bashrc; or, quicker, write it to a file there",
    "zsh": "source <(qwasr completion zsh)              # in ~/.zshrc, after compinit",
    "fish": "qwasr completion fish > ~/.config/fish/completions/qwasr.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(_WHERE.values()))
@click.argument("shell", type=click.Choice(tuple(_WHERE)))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, flags, variables and files of `qwasr`."""
    from click.shell_completion import get_completion_class

    from qwasr.cli import command as group

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - these three are click's own
    click.echo(found(group, {}, _PROGRAM, _VARIABLE).source())
