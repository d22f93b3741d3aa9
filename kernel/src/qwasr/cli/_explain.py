"""`qwasr env --explain NAME`: what one variable is, by what it is set, and what that hides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qwasr._known import did_you_mean
from qwasr._variables import MASK, mask_url, read_variable
from qwasr.cli._output import print_json, print_table
from qwasr.errors import ConfigurationError, OptionError
from qwasr.options import Variable

if TYPE_CHECKING:
    from qwasr.registry import Registry
    from qwasr.settings import Settings

__all__ = ["explain"]


def explain(name: str, environ: Settings, *, as_json: bool) -> None:
    """Print all about one variable.

    Args:
        name: the variable, or that of a secret's file, or of one store.
        environ: everything that is set.
        as_json: print JSON, for programs.

    Raises:
        ConfigurationError: nothing reads it.
    """
    from qwasr.registry import Registry

    report = _report(name, environ, Registry(environ=environ))
    if as_json:
        print_json(report)
        return
    click.echo(f"{report['name']}: {report['help']}")
    rows = [("value", report["value"] or "(empty)", f"from {report['set_by'] or 'the default'}")]
    if report["value"] is None:
        rows = [("value", "", "not set, and there is no default")]
    rows += [("hidden", one["value"], f"from {one['set_by']}") for one in report["hidden"]]
    print_table(rows, indent="  ")
    facts = [(label, report[key]) for label, key in _FACTS.items() if report[key]]
    print_table(facts, indent="  ")
    if report["problem"]:
        click.echo(f"  problem: {report['problem']}")


_FACTS = {"default": "default", "expected": "expected", "qwasr.toml": "key", "read by": "reader"}


def _report(name: str, environ: Settings, registry: Registry) -> dict[str, Any]:
    variable, key = _find(name, registry)
    places = [(by, text) for by, text in environ.everywhere(name) if text or not variable.empty_is_unset]
    shown = [{"value": _shown(variable, name, text), "set_by": by} for by, text in places]
    if variable.secret and name == variable.name:
        shown += [
            {"value": MASK, "set_by": f"{by}, by {name}_FILE"}
            for by, path in environ.everywhere(f"{name}_FILE")
            if path
        ]
    passed_over = [{"value": _shown(variable, name, text), "set_by": by} for by, text in environ.passed_over(name)]
    value = shown[0]["value"] if shown else variable.default_text or None
    return {
        "name": name,
        "help": variable.help,
        "value": value,
        "set_by": shown[0]["set_by"] if shown else "",
        "hidden": shown[1:] + passed_over,
        "default": variable.default_text,
        "expected": variable.expectation,
        "secret": variable.secret,
        "key": key,
        "reader": variable.reader,
        "problem": _problem(variable, environ),
    }


def _find(name: str, registry: Registry) -> tuple[Variable, str]:
    """Return a variable and its key in `qwasr.toml`."""
    from qwasr.backends import store_variables
    from qwasr.environment import all_variables
    from qwasr.settings_file import shown_keys

    keys = shown_keys(registry)
    variables = {one.name: one for one in all_variables(registry)}
    if name in variables:
        return variables[name], keys.get(name, "")
    plain = variables.get(name.removesuffix("_FILE"))
    if plain is not None and plain.secret and name.endswith("_FILE"):
        return (
            Variable(name=name, help=f"file that holds {plain.name}", reader=plain.reader, kind="Path", optional=True),
            f"{keys[plain.name]}_file" if plain.name in keys else "",
        )
    for family in variables.values():
        one = family.member(name)
        if one is not None:
            return one, keys.get(family.name, "").replace("<name>", one.name[len(family.prefix) :].lower())
    for interface in registry.interfaces.values():
        if interface.stores and (stores := store_variables(interface.name, {name: "set"})):
            text = f"backend of the {interface.name} store {stores[0][0]}, by name or URL"
            key = f"[{interface.name}.store] {stores[0][0].lower()}"
            return Variable(name=name, help=text, reader="qwasr.backends.choose", optional=True), key
    message = f"nothing reads the variable {name}.{did_you_mean(name, variables)} `qwasr env` lists them all."
    raise ConfigurationError(message)


def _shown(variable: Variable, name: str, text: str) -> str:
    return MASK if variable.secret and name == variable.name else mask_url(text)


def _problem(variable: Variable, environ: Settings) -> str:
    if variable.name not in environ and not (variable.secret and f"{variable.name}_FILE" in environ):
        return ""
    try:
        read_variable(variable, environ)
    except OptionError as error:
        return str(error)
    return ""
