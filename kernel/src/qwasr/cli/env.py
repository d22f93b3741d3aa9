"""`qwasr env`: every variable that is read, by whom, and what it is now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwasr._variables import MASK, expanded, mask_url
from qwasr.cli._complete import complete_variables
from qwasr.cli._environ import with_environ
from qwasr.cli._output import json_flag, print_json, print_table
from qwasr.runtime_options import CommandOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwasr.options import Variable
    from qwasr.settings import Settings


@click.command("env")
@click.argument("component", type=click.Path(path_type=Path), required=False)
@click.option(
    "--explain", "name", metavar="NAME", shell_complete=complete_variables, help="Say all about one variable."
)
@click.option("--markdown", is_flag=True, help="Print a page for documentation: no values, only what can be set.")
@json_flag
@with_environ(CommandOptions, only=("env_file", "config_file", "plugins"))
def command(environ: Settings, component: Path | None, name: str | None, markdown: bool, as_json: bool) -> None:
    """List every variable: what it is set to and by what, its default, and who reads it. Secrets are masked.

    With COMPONENT the qwasr.toml beside it counts, otherwise that in the working folder.
    """
    from qwasr.backends import store_variables
    from qwasr.environment import all_variables, unread_variables
    from qwasr.registry import Registry
    from qwasr.settings_file import shown_keys

    if name is not None:
        from qwasr.cli._explain import explain

        explain(name, environ, as_json=as_json)
        return
    registry = Registry(environ=environ)
    variables = all_variables(registry)
    if markdown:
        _print_page(variables, shown_keys(registry))
        return
    report = [_describe(variable, environ) for variable in expanded(variables, environ)]
    for interface in registry.interfaces.values():
        if interface.stores:
            report += [_store(interface.name, *one, environ) for one in store_variables(interface.name, environ)]
    warnings = [*registry.problems, *unread_variables(variables, environ, registry)]
    if as_json:
        print_json({"variables": report, "warnings": warnings})
        return
    rows = [(one["name"], _value(one), one["set_by"], one["default"], one["help"], one["reader"]) for one in report]
    print_table([("VARIABLE", "SET TO", "SET BY", "DEFAULT", "MEANING", "READ BY"), *rows])
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


_PAGE_HEAD = """# Variables

Made by `qwasr env --markdown` from the plug-ins that are installed here; `qwasr env` shows what is set, and
`qwasr env --explain NAME` by what. A variable is read once, at start-up. From strongest to weakest, it is set by a
flag (`--set NAME=VALUE` sets any of them), in the environment, in the file that `--env-file` names, or in
[`qwasr.toml`](configuration.md). A secret may come from a file: `NAME_FILE=/run/secrets/name`. Any interface with
stores also takes `QWASR_<INTERFACE>__<STORE>`, the backend of one named store.
"""


def _print_page(variables: list[Variable], keys: Mapping[str, str]) -> None:
    click.echo(_PAGE_HEAD)
    click.echo("| variable | default | meaning | expected | read by | in `qwasr.toml` |\n" + "| --- " * 6 + "|")
    for one in variables:
        name = f"`{one.name}`" + (f" or `{one.name}_FILE`" if one.secret else "")
        default = f"`{one.default_text}`" if one.default_text else ""
        key = f"`{keys[one.name]}`" if one.name in keys else ""
        line = f"| {name} | {default} | {one.help} | {one.expectation} | `{one.reader}` | {key} |"
        click.echo(line.replace("|  |", "| |"))


def _describe(variable: Variable, environ: Settings) -> dict[str, Any]:
    value = environ.get(variable.name)
    if not value and variable.empty_is_unset:
        value = None
    file = f"{variable.name}_FILE"
    from_file = file if variable.secret and environ.get(file) else ""
    shown = MASK if value is not None and variable.secret else value
    return {
        "name": variable.name,
        "set": value is not None or bool(from_file),
        "set_by": "" if shown is None and not from_file else environ.source(from_file or variable.name),
        "value": MASK if from_file else (None if shown is None else mask_url(shown)),
        "default": variable.default_text,
        "required": variable.required,
        "secret": variable.secret,
        "expected": variable.expectation,
        "help": variable.help,
        "reader": variable.reader,
    }


def _store(interface: str, store: str, name: str, value: str, environ: Settings) -> dict[str, Any]:
    return {
        "name": name,
        "set": True,
        "set_by": environ.source(name),
        "value": mask_url(value),
        "default": "",
        "required": False,
        "secret": False,
        "expected": "text",
        "help": f"backend of the {interface} store {store}, by name or URL",
        "reader": "qwasr.backends.choose",
    }


def _value(one: dict[str, Any]) -> str:
    return str(one["value"]) if one["set"] else "-"
