"""`qwasr run`: serve what a component exports."""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwasr.cli import EXIT_CODES
from qwasr.cli._environ import with_environ
from qwasr.cli._process_flags import process_flags
from qwasr.errors import QwasrError
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwasr.runtime import Runtime
    from qwasr.settings import Settings


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
                with formatter.section("Variables of the installed plug-ins, for --set or the environment"):
                    formatter.write_dl([(one.name, _describe(one.help, one.default_text)) for one in variables])
        super().format_epilog(ctx, formatter)


def _describe(text: str, default: str) -> str:
    return f"{text}  [default: {default}]" if default else text


@click.command("run", cls=RunCommand, epilog=EXIT_CODES)
@click.argument("component", type=click.Path(path_type=Path))
@with_environ(RuntimeOptions, CommandOptions)
@process_flags
def command(environ: Settings, component: Path) -> int:
    """Serve what COMPONENT exports, until SIGTERM or Ctrl-C, or run it, if it is a command.

    COMPONENT is a component (.wasm), component text (.wat) or, with --allow-precompiled, what `qwasr compile` wrote.

    A command exports wasi:cli/run and nothing to serve. It is run once with the ARGUMENTs, with this process's standard
    input, output and error, and without a deadline; its exit code is passed on, and Ctrl-C ends it.

    SIGTERM: nothing new is taken, running calls are finished, then the exit code is 0; a second signal ends it at once.
    SIGHUP: certificates are read again; with --workers or --admin-address workers are replaced one after another.

    With --workers above 1 that many processes serve the same address; one that dies is started again. With
    --admin-address there is /health/live, /health/ready and /metrics, summed over all workers.
    """
    import asyncio

    from qwasr._log import configure_logging

    options = CommandOptions.from_env(environ)
    configure_logging(options.log_level, options.log_format)
    _raise_files_limit()
    if options.workers > 1 or options.admin_address:
        return _supervise(component, environ, options)
    from qwasr.runtime import Runtime

    runtime = Runtime(
        component,
        environ=environ,
        allow_precompiled=options.allow_precompiled,
        trap_unknown_imports=options.trap_unknown_imports,
    )
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            return runner.run(_run(runtime))
        except KeyboardInterrupt:  # before the runtime takes signals itself
            return 130


async def _run(runtime: Runtime) -> int:
    def ready() -> None:
        _collect_garbage()
        _say(runtime.describe_servers())

    async with runtime:
        if runtime.guest.exports("wasi:cli/run") and not runtime.has_servers:
            from qwasr.cli._command import run_once

            _collect_garbage()
            return await run_once(runtime)  # nothing is said: standard output is the command's
        _say(runtime.describe_bindings())
        await runtime.serve(on_ready=ready)
    return 0


def _raise_files_limit() -> None:
    """Have as many files as the system permits: the lower limit is for programs that use `select`.

    Workers inherit it. A thousand idle clients are all that the usual one lets in.
    """
    try:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ImportError, OSError, ValueError):  # another system, or one that says more than it permits
        return


def _collect_garbage() -> None:
    """Begin to, and leave out what there is now: it stays, and looking through it would cost requests their time."""
    gc.freeze()
    gc.enable()


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _supervise(component: Path, environ: dict[str, str], options: CommandOptions) -> int:
    """Serve by workers; this process only looks after them and makes no engine."""
    import asyncio

    from qwasr.workers import Supervisor

    gc.enable()

    async def run() -> int:
        supervisor = Supervisor(
            component,
            environ,
            workers=options.workers,
            admin_address=options.admin_address,
            say=click.echo,
        )
        return await supervisor.run()

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:  # before the supervisor takes signals itself
        return 130


def loop_factory() -> Callable[[], Any] | None:
    """Return uvloop's event loop where it is installed."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory
