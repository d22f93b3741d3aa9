"""Flags of a command are its variables: one flag for each field of an options class, one place that parses both.

A flag only writes its variable into the mapping that the options are read from, so a value is checked by the same code
and complained about in the same words wherever it comes from. `--set NAME=VALUE` is the flag of every variable there
is, those of plug-ins too. A flag wins over the environment, and that over `--env-file`.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from qwasr.errors import OptionError
from qwasr.options import read_env_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwasr.options import ConnectOptions, Variable

__all__ = ["Environ", "with_environ"]

P = ParamSpec("P")
R = TypeVar("R")
_METAVARS: Final = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "tuple": "A,B,…"}
_ENV_FILE: Final = "QWASR_ENV_FILE"
_SET: Final = "settings"  # the parameter of `--set`


class Environ(dict[str, str]):
    """The variables that a command reads.

    Attributes:
        sources: the flag or file that a variable is from; those of the process's environment are not in it.
    """

    def __init__(self, values: dict[str, str], sources: dict[str, str]) -> None:
        super().__init__(values)
        self.sources = sources


def with_environ(
    *classes: type[ConnectOptions], only: tuple[str, ...] | None = None
) -> Callable[[Callable[Concatenate[Environ, P], R]], Callable[P, R]]:
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

    def decorate(function: Callable[Concatenate[Environ, P], R]) -> Callable[P, R]:
        @wraps(function)
        def with_flags(*arguments: P.args, **parameters: P.kwargs) -> R:
            settings: Any = parameters.pop(_SET, ())
            flags = {
                variable.name: (_flag_name(variable), _text(value))
                for field, variable in variables.items()
                if (value := parameters.pop(field, None)) is not None
            }
            return function(_environ(flags, settings), *arguments, **parameters)

        decorated: Any = click.option(
            "--set",
            _SET,
            multiple=True,
            metavar="NAME=VALUE",
            help="Set any variable that `qwasr env` lists, those of plug-ins too; as often as needed.",
        )(with_flags)
        for variable in reversed(variables.values()):
            decorated = _flag(variable)(decorated)
        return decorated  # type: ignore[no-any-return]  # click's decorators return what they are given

    return decorate


def _environ(flags: dict[str, tuple[str, str]], settings: Iterable[str]) -> Environ:
    """Return the environment below the flags, which are the flag's name and its text by variable."""
    given = _settings(settings)
    twice = next((name for name in given if name in flags), None)
    if twice is not None:
        message = f"{flags[twice][0]} and --set {twice}=… both set {twice}; leave out one of them"
        raise OptionError(message)
    values = {**os.environ, **{name: text for name, (_, text) in flags.items()}, **given}
    sources = {**{name: flag for name, (flag, _) in flags.items()}, **dict.fromkeys(given, "--set")}
    if path := values.get(_ENV_FILE):
        read = read_env_file(path)
        sources = {**{name: str(path) for name in read if name not in values}, **sources}
        values = {**read, **values}
    environ = Environ(values, sources)
    if given:
        from qwasr.environment import check_settings
        from qwasr.registry import Registry

        check_settings(given, environ, Registry(environ=environ))
    return environ


def _settings(texts: Iterable[str]) -> dict[str, str]:
    """Return what `--set` was given, by variable."""
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:  # not quoted: it may be a secret
            message = "--set needs NAME=VALUE, for example --set HTTP_ADDR=127.0.0.1:8081"
            raise OptionError(message)
        if name in given:
            message = f"--set {name}=… is given twice; leave out one of them"
            raise OptionError(message)
        given[name] = value
    return given


def _flag_name(variable: Variable) -> str:
    return "--" + variable.field.replace("_", "-")


def _flag(variable: Variable) -> Callable[[Any], Any]:
    default = f"; default: {variable.default_text}" if variable.default_text else ""
    text = f"{variable.help[:1].upper()}{variable.help[1:]}.  [{variable.name}{default}]"
    name = _flag_name(variable)
    if variable.kind == "bool":
        return click.option(name, variable.field, is_flag=True, default=None, help=text)
    if variable.choices is not None:
        return click.option(name, variable.field, metavar="|".join(variable.choices), default=None, help=text)
    return click.option(name, variable.field, metavar=_METAVARS.get(variable.kind, "TEXT"), default=None, help=text)


def _text(value: object) -> str:
    return "true" if value is True else str(value)
