"""What shells offer while a command line is typed, besides the names of commands and flags."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click
    from click.shell_completion import CompletionItem

__all__ = ["complete_choices", "complete_settings", "complete_variables"]


def complete_variables(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the variables that something reads, with their meanings."""
    from click.shell_completion import CompletionItem

    from qwasr.environment import all_variables
    from qwasr.registry import Registry

    variables = all_variables(Registry(environ=os.environ))
    found = {one.name: one.help for one in variables if one.name.startswith(incomplete.upper())}
    return [CompletionItem(name, help=text) for name, text in sorted(found.items())]


def complete_settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer `NAME=` for ``--set``, and how the names of a family begin; the rest is the user's to know."""
    from qwasr._variables import FAMILY

    if "=" in incomplete:
        return []
    offered = complete_variables(ctx, param, incomplete)
    for item in offered:
        name: str = item.value
        item.value = name.removesuffix(FAMILY) if name.endswith(FAMILY) else f"{name}="
    return offered


def complete_choices(choices: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what offers the values that an option may have."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete
