"""Flags of a command are its variables: one flag for each field of an options class, one place that parses both.

A flag only writes its variable into the mapping that the options are read from, so a value is checked by the same code
and complained about in the same words wherever it comes from. A flag wins over the environment, and that over
`--env-file`.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from qwasr.options import read_env_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.options import ConnectOptions, Variable

__all__ = ["with_environ"]

P = ParamSpec("P")
R = TypeVar("R")
_METAVARS: Final = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "tuple": "A,B,…"}
_ENV_FILE: Final = "QWASR_ENV_FILE"


def with_environ(
    *classes: type[ConnectOptions], only: tuple[str, ...] | None = None
) -> Callable[[Callable[Concatenate[dict[str, str], P], R]], Callable[P, R]]:
    """Give a command the flags of options classes, and as first argument the environment to read them from.

    Args:
        classes: the options classes.
        only: the fields that get a flag; all when not given.
    """
    variables = {
        variable.field: variable
        for options in classes
        for variable in options.variables()
        if only is None or variable.field in only
    }

    def decorate(function: Callable[Concatenate[dict[str, str], P], R]) -> Callable[P, R]:
        @wraps(function)
        def with_flags(*arguments: P.args, **parameters: P.kwargs) -> R:
            flags = {
                variable.name: _text(value)
                for field, variable in variables.items()
                if (value := parameters.pop(field, None)) is not None
            }
            return function(_environ(flags), *arguments, **parameters)

        decorated: Any = with_flags
        for variable in reversed(variables.values()):
            decorated = _flag(variable)(decorated)
        return decorated  # type: ignore[no-any-return]  # click's decorators return what they are given

    return decorate


def _environ(flags: dict[str, str]) -> dict[str, str]:
    environ = {**os.environ, **flags}
    path = environ.get(_ENV_FILE)
    return {**read_env_file(path), **environ} if path else environ


def _flag(variable: Variable) -> Callable[[Any], Any]:
    default = f"; default: {variable.default_text}" if variable.default_text else ""
    text = f"{variable.help[:1].upper()}{variable.help[1:]}.  [{variable.name}{default}]"
    name = "--" + variable.field.replace("_", "-")
    if variable.kind == "bool":
        return click.option(name, variable.field, is_flag=True, default=None, help=text)
    if variable.choices is not None:
        return click.option(name, variable.field, metavar="|".join(variable.choices), default=None, help=text)
    return click.option(name, variable.field, metavar=_METAVARS.get(variable.kind, "TEXT"), default=None, help=text)


def _text(value: object) -> str:
    return "true" if value is True else str(value)
