"""What a command line says about the process that a guest sees: its arguments, variables and folders.

Like every flag these only write variables, those of `wasi`: `QWASR_GUEST_ARGS`, `QWASR_ENV_ALLOW`, `QWASR_GUEST_ENV`,
`QWASR_MOUNTS`.
"""

from __future__ import annotations

import shlex
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from qwasr.errors import OptionError
from qwasr.settings import Layer, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["process_flags", "with_process"]

P = ParamSpec("P")
R = TypeVar("R")


def process_flags(function: Callable[Concatenate[Settings, P], R]) -> Callable[Concatenate[Settings, P], R]:
    """Give a command ``--env``, ``--mount`` and the guest's arguments; a decorator, below `with_environ`."""

    @wraps(function)
    def with_flags(environ: Settings, *arguments: P.args, **parameters: P.kwargs) -> R:
        given: Any = [parameters.pop(name) for name in ("guest_arguments", "guest_variables", "mounts")]
        return function(with_process(environ, *given), *arguments, **parameters)

    decorated: Any = with_flags
    for option in (
        click.option(
            "--mount",
            "mounts",
            multiple=True,
            metavar="HOST:GUEST[:rw]",
            help="Let guests see the folder HOST as GUEST, to read, or write too; as often as needed.  [QWASR_MOUNTS]",
        ),
        click.option(
            "--env",
            "guest_variables",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="Let guests see this variable, with its value here or with VALUE; as often as needed.",
        ),
        click.argument("guest_arguments", nargs=-1, metavar="[-- ARGUMENT...]"),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators return what they are given


def with_process(
    settings: Settings, arguments: Sequence[str], variables: Iterable[str], mounts: Sequence[str]
) -> Settings:
    """Return the settings below what the command line says about the guest's arguments, variables and folders.

    Args:
        settings: everything else.
        arguments: the words after ``--``.
        variables: ``NAME`` or ``NAME=VALUE``, each of ``--env``.
        mounts: ``host:guest[:rw]``, each of ``--mount``.

    Raises:
        OptionError: a variable has no name, a folder is not named or has a comma in its name.
    """
    layers: list[Layer] = []
    allowed: list[str] = []
    given: list[str] = []
    if arguments:
        layers.append(Layer("arguments after --", {"QWASR_GUEST_ARGS": shlex.join(arguments)}))
    for text in variables:
        name, equals, _ = text.partition("=")
        if not name:  # not quoted: what follows may be a secret
            message = "--env needs NAME or NAME=VALUE, for example --env LANG or --env GREETING=hello"
            raise OptionError(message)
        if "," in name and not equals:
            message = "--env takes one variable; for A and B write --env A --env B"
            raise OptionError(message)
        (given if equals else allowed).append(text)
    if allowed:
        names = [*filter(None, [settings.get("QWASR_ENV_ALLOW")]), *allowed]
        layers.append(Layer("--env", {"QWASR_ENV_ALLOW": ",".join(names)}))
    if given:
        words = [*filter(None, [settings.get("QWASR_GUEST_ENV")]), shlex.join(given)]
        layers.append(Layer("--env", {"QWASR_GUEST_ENV": " ".join(words)}))
    if not all(mount.strip() for mount in mounts):
        message = "--mount needs HOST:GUEST[:rw], for example --mount ./data:/data"
        raise OptionError(message)
    if any("," in mount for mount in mounts):
        message = "--mount: QWASR_MOUNTS separates folders by commas, so a folder with one cannot be mounted"
        raise OptionError(message)
    if mounts:
        layers.append(Layer("--mount", {"QWASR_MOUNTS": ",".join(mounts)}))
    return Settings([*layers, *settings.layers]) if layers else settings
