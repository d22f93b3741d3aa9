"""`qwasr inspect`: what a component imports and exports, and what would satisfy it here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwasr.cli._environ import with_environ
from qwasr.cli._graph import draw
from qwasr.cli._output import json_flag, print_json, print_table
from qwasr.errors import ConfigurationError, OptionError
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from qwasr.engine import Component
    from qwasr.registry import Registry


@click.command("inspect")
@click.argument("component", type=click.Path(path_type=Path))
@click.option("--functions", is_flag=True, help="Show the functions of each import.")
@click.option("--graph", is_flag=True, help="Draw the guest, the interfaces it imports and their backends.")
@json_flag
@with_environ(
    RuntimeOptions, CommandOptions, only=("cache_dir", "env_file", "config_file", "plugins", "allow_precompiled")
)
def command(environ: dict[str, str], component: Path, functions: bool, graph: bool, as_json: bool) -> None:
    """Show what COMPONENT imports and exports, and what satisfies each import. Nothing is connected or run."""
    from qwasr.engine import Engine
    from qwasr.registry import Registry

    if graph and as_json:
        message = "--graph draws and --json does not: leave out one of them"
        raise OptionError(message)
    registry = Registry(environ=environ)
    allow_precompiled = CommandOptions.from_env(environ).allow_precompiled
    engine = Engine(RuntimeOptions.from_env(environ).engine(environ))
    try:
        loaded = engine.load(component, allow_precompiled=allow_precompiled)
        if graph:
            click.echo("\n".join(draw(loaded, registry, environ)))
            return
        report = _report(loaded, registry, environ)
    finally:
        engine.close()
    if as_json:
        print_json(report)
    else:
        _print(report, functions=functions)


def _report(component: Component, registry: Registry, environ: dict[str, str]) -> dict[str, Any]:
    servers = [server.export for server in registry.servers]
    return {
        "name": component.name,
        "size_bytes": component.size_bytes,
        "imports": [
            {
                **_versioned(name),
                **_satisfied_by(name, registry, environ),
                "functions": list(component.import_functions(name)),
            }
            for name in component.imports
        ],
        "exports": [
            {**_versioned(name), "served": any(name.partition("@")[0] == export for export in servers)}
            for name in component.exports
        ],
    }


def _versioned(name: str) -> dict[str, Any]:
    base, _, version = name.partition("@")
    return {"name": name, "interface": base, "version": version or None}


def _satisfied_by(name: str, registry: Registry, environ: dict[str, str]) -> dict[str, Any]:
    from qwasr.backends import choose

    interface = registry.interface_of(name)
    if interface is None:
        hint = registry.hint(name) or "no plug-in that provides it is known"
        return {"satisfied": False, "provider": None, "backend": None, "why": hint}
    try:
        binding = choose(interface, registry, environ)[0].binding
    except ConfigurationError as error:
        return {"satisfied": False, "provider": interface.name, "backend": None, "why": str(error)}
    return {"satisfied": True, "provider": interface.name, "backend": binding.backend or None, "why": binding.why}


def _print(report: dict[str, Any], *, functions: bool) -> None:
    click.echo(f"{report['name']}: {report['size_bytes']} bytes")
    click.echo("imports:" if report["imports"] else "imports: none")
    if not functions:
        rows = [(one["name"], _provider(one), one["why"]) for one in report["imports"]]
        print_table(rows, indent="  ")
    else:
        for one in report["imports"]:
            click.echo(f"  {one['name']}  {_provider(one)}  {one['why']}")
            for function in one["functions"]:
                click.echo(f"    {function}")
    click.echo("exports:" if report["exports"] else "exports: none")
    print_table(((one["name"], "served" if one["served"] else "") for one in report["exports"]), indent="  ")


def _provider(one: dict[str, Any]) -> str:
    if not one["satisfied"]:
        return "MISSING"
    return f"{one['provider']}/{one['backend']}" if one["backend"] else str(one["provider"])
