"""`qwasr plugins`: what is installed and what it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qwasr.cli._environ import with_environ
from qwasr.cli._output import json_flag, print_json
from qwasr.hooks import KERNEL_API
from qwasr.runtime_options import CommandOptions

if TYPE_CHECKING:
    from qwasr.registry import Plugin


@click.command("plugins")
@json_flag
@with_environ(CommandOptions, only=("env_file", "config_file", "plugins"))
def command(environ: dict[str, str], as_json: bool) -> None:
    """List the installed plug-ins: distribution, version, what each offers, and why one is not used."""
    from qwasr.registry import Registry

    plugins = [_describe(plugin) for plugin in Registry(environ=environ).plugins]
    if as_json:
        print_json({"kernel_api": KERNEL_API, "plugins": plugins})
    elif not plugins:
        click.echo("No plug-ins are installed. `pip install qwasr` brings those for WASI, HTTP and key-value stores.")
    else:
        for plugin in plugins:
            _print(plugin)


def _describe(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error or None,
        "interfaces": [
            {"name": one.name, "wit": list(one.wit), "default": one.default, "help": one.help}
            for one in plugin.interfaces
        ],
        "backends": [
            {"name": one.name, "provides": list(one.provides), "schemes": list(one.schemes)} for one in plugin.backends
        ],
        "servers": [{"export": one.export} for one in plugin.servers],
        "commands": [one.name for one in plugin.commands],
        "fakes": [one.interface for one in plugin.fakes],
    }


def _print(plugin: dict[str, Any]) -> None:
    click.echo(f"{plugin['name']}  {plugin['distribution']} {plugin['version']}".rstrip())
    if plugin["error"]:
        click.echo(f"  not used: {plugin['error']}")
    for one in plugin["interfaces"]:
        click.echo(f"  interface {one['name']}: {', '.join(one['wit'])}")
    for one in plugin["backends"]:
        schemes = f" ({', '.join(f'{scheme}://' for scheme in one['schemes'])})" if one["schemes"] else ""
        click.echo(f"  backend {one['name']} for {', '.join(one['provides'])}{schemes}")
    for one in plugin["servers"]:
        click.echo(f"  server for {one['export']}")
    for name in plugin["commands"]:
        click.echo(f"  command {name}")
    for name in plugin["fakes"]:
        click.echo(f"  fake for {name}")
