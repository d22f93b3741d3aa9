"""Flags of a command are its variables: one flag for each field of an options class, one place that parses both.

A flag only writes its variable into the mapping that the options are read from, so a value is checked by the same code
and complained about in the same words wherever it comes from. `--set NAME=VALUE` is the flag of every variable there
is, those of plug-ins too. A flag wins over the environment, that over `--env-file`, and that over `qwasr.toml`.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from qwasr.cli._complete import complete_choices, complete_settings
from qwasr.errors import OptionError
from qwasr.settings import Layer, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from qwasr.options import ConnectOptions, Variable
    from qwasr.settings import Settings

__all__ = ["with_environ"]

P = ParamSpec("P")
R = TypeVar("R")
_METAVARS: Final = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "tuple": "A,B,…"}
_SET: Final = "settings"  # the parameter of `--set`


def with_environ(
    *classes: type[ConnectOptions], only: tuple[str, ...] | None = None
) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
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

    def decorate(function: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @wraps(function)
        def with_flags(*arguments: P.args, **parameters: P.kwargs) -> R:
            settings: Any = parameters.pop(_SET, ())
            flags = {
                variable.name: (_flag_name(variable), _text(value))
                for field, variable in variables.items()
                if (value := parameters.pop(field, None)) is not None
            }
            component: Any = parameters.get("component")
            return function(_environ(flags, settings, component), *arguments, **parameters)

        decorated: Any = click.option(
            "--set",
            _SET,
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=complete_settings,
            help="Set any variable that `qwasr env` lists, those of plug-ins too; as often as needed.",
        )(with_flags)
        for variable in reversed(variables.values()):
            decorated = _flag(variable)(decorated)
        return decorated  # type: ignore[no-any-return]  # click's decorators return what they are given

    return decorate


def _environ(flags: dict[str, tuple[str, str]], settings: Iterable[str], component: Path | None) -> Settings:
    """Return all variables; the flags are the flag's name and its text by variable."""
    given = _settings(settings)
    twice = next((name for name in given if name in flags), None)
    if twice is not None:
        message = f"{flags[twice][0]} and --set {twice}=… both set {twice}; leave out one of them"
        raise OptionError(message)
    values = {**{name: text for name, (_, text) in flags.items()}, **given}
    sources = {name: flag for name, (flag, _) in flags.items()}
    environ = load_settings(component, flags=Layer("--set", values, sources))
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
        complete = complete_choices(variable.choices)
        metavar = "|".join(variable.choices)
        return click.option(name, variable.field, metavar=metavar, default=None, help=text, shell_complete=complete)
    names = (name, name.removesuffix("-s")) if name.endswith("-s") else (name,)  # seconds go without saying
    metavar = _METAVARS.get(variable.kind, "TEXT")
    return click.option(*names, variable.field, metavar=metavar, default=None, help=text)


def _text(value: object) -> str:
    return "true" if value is True else str(value)
