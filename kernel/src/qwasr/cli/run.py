"""`qwasr run`: serve what a component exports."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwasr.cli import EXIT_CODES
from qwasr.cli._environ import with_environ
from qwasr.errors import GuestError, GuestExit, QwasrError
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwasr.runtime import Runtime


class RunCommand(click.Command):
    """`run` with the variables of the installed plug-ins in its help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the variables, then the exit codes."""
        from qwasr.environment import all_variables
        from qwasr.registry import Registry

        own = {variable.name for options in (RuntimeOptions, CommandOptions) for variable in options.variables()}
        try:
            variables = [one for one in all_variables(Registry(environ=os.environ)) if one.name not in own]
        except QwasrError as error:
            formatter.write_paragraph()
            formatter.write_text(f"The variables of plug-ins cannot be listed: {error}")
        else:
            if variables:
                with formatter.section("Variables of the installed plug-ins"):
                    formatter.write_dl([(one.name, _describe(one.help, one.default_text)) for one in variables])
        super().format_epilog(ctx, formatter)


def _describe(text: str, default: str) -> str:
    return f"{text}  [default: {default}]" if default else text


@click.command("run", cls=RunCommand, epilog=EXIT_CODES)
@click.argument("component", type=click.Path(path_type=Path))
@with_environ(RuntimeOptions, CommandOptions)
def command(environ: dict[str, str], component: Path) -> int:
    """Serve what COMPONENT exports, until SIGTERM or Ctrl-C.

    COMPONENT is a component (.wasm), component text (.wat) or, with --allow-precompiled, what `qwasr compile` wrote. A
    component that exports wasi:cli/run and nothing to serve is run once.

    SIGTERM: nothing new is taken, running calls are finished, then the exit code is 0; a second signal ends it at once.
    """
    import asyncio

    from qwasr._log import configure_logging
    from qwasr.runtime import Runtime

    options = CommandOptions.from_env(environ)
    configure_logging(options.log_level)
    runtime = Runtime(
        component,
        environ=environ,
        allow_precompiled=options.allow_precompiled,
        trap_unknown_imports=options.trap_unknown_imports,
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(_run(runtime))
        except KeyboardInterrupt:  # before the runtime takes signals itself
            return 130


async def _run(runtime: Runtime) -> int:
    async with runtime:
        for binding in runtime.bindings:
            click.echo(str(binding))
            for line in _by_package(binding.imports):
                click.echo(f"  {line}")
        if runtime.guest.exports("wasi:cli/run") and not runtime.has_servers:
            return await _run_once(runtime)
        await runtime.serve(on_ready=lambda: _say_where(runtime))
    return 0


def _by_package(imports: Iterable[str]) -> list[str]:
    """Return ``wasi:io@0.2.9: poll, streams`` for each package and version."""
    packages: dict[str, list[str]] = {}
    for name in imports:
        interface, at, version = name.partition("@")
        package, _, short = interface.partition("/")
        packages.setdefault(f"{package}{at}{version}", []).append(short)
    return [f"{package}: {', '.join(names)}" for package, names in packages.items()]


def _say_where(runtime: Runtime) -> None:
    for server in runtime.servers:
        click.echo(f"{runtime.guest.name} serves {server.export} at {server.describe()}")


async def _run_once(runtime: Runtime) -> int:
    """Call `wasi:cli/run` without a deadline; its error is exit code 1, `wasi:cli/exit` says its own."""
    from qwasr._log import log_guest_error
    from qwasr.values import WitError

    run = runtime.guest.function("wasi:cli/run", "run")
    async with runtime.guest.call() as call:
        call.lift_deadline()
        try:
            await call.invoke(run)
        except WitError:
            return 1
        except GuestExit as guest_exit:
            return guest_exit.code
        except GuestError as error:
            log_guest_error(call.id, error)
            return 1
    return 0


def _loop_factory() -> Callable[[], Any] | None:
    """Return uvloop's event loop where it is installed."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory
