"""`qwasr doctor`: would a component run here, and what is in the way when not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qwasr.cli import EXIT_CODES
from qwasr.cli._environ import with_environ
from qwasr.cli._output import json_flag, print_json
from qwasr.cli._process_flags import process_flags
from qwasr.errors import QwasrError
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwasr.findings import Finding
    from qwasr.settings import Settings

_WIDTH = 5  # of what stands before a line


class DoctorCommand(click.Command):
    """`doctor`, for which settings that cannot be read at all are a finding too."""

    def invoke(self, ctx: click.Context) -> int:
        """Examine; report what keeps the settings from being read."""
        try:
            code: int = super().invoke(ctx)
        except QwasrError as error:
            from qwasr.findings import failure

            return _report(
                ctx.params["component"], [failure("settings", error, cause="value")], as_json=ctx.params["as_json"]
            )
        return code


@click.command("doctor", cls=DoctorCommand, epilog=EXIT_CODES)
@click.argument("component", type=click.Path(path_type=Path))
@json_flag
@with_environ(RuntimeOptions, CommandOptions)
@process_flags
def command(environ: Settings, component: Path, as_json: bool) -> int:
    """Say whether COMPONENT would run with these settings: try everything that `qwasr run` does before it serves.

    For each import: the plug-in that provides it, the backend, its variables and by what each is set, and whether the
    connection stands; where it does not, the most likely cause and what to do. Nothing is served or changed.

    The exit code is 0 when it would run, and else what `qwasr run` would end with.
    """
    import asyncio

    from qwasr._log import configure_logging
    from qwasr.checkup import Checkup
    from qwasr.cli.run import loop_factory

    configure_logging("error", "text")  # what is worth a warning is a finding
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        findings = runner.run(Checkup(component, environ).examine())
    return _report(component, findings, as_json=as_json)


def _report(component: Path, findings: Sequence[Finding], *, as_json: bool) -> int:
    failed = [finding for finding in findings if finding.failed]
    if as_json:
        print_json(
            {"component": str(component), "would_run": not failed, "findings": [asdict(one) for one in findings]}
        )
    else:
        for finding in findings:
            _print(finding)
        click.echo(f"{component} would {'not ' if failed else ''}run{_count(failed)}.")
    return failed[0].exit_code if failed else 0


def _count(failed: Sequence[Finding]) -> str:
    return f": {len(failed)} thing{'s are' if len(failed) > 1 else ' is'} in the way" if failed else ""


def _print(finding: Finding) -> None:
    state = "FAILS" if finding.failed else "note" if finding.subject == "warning" else "ok"
    origin = f" from {finding.plugin}" if finding.plugin else ""
    words = [f"{finding.subject}{origin}"] if finding.subject != "warning" else []
    click.echo(f"{state:{_WIDTH}}  {': '.join([*words, *filter(None, [finding.says])])}")
    for line in _packages(finding.imports):
        _indented(line)
    for one in finding.variables:
        if one.set_by or (one.address and finding.failed):
            _indented(f"{one.name}={one.value} ({one.set_by or 'default'})")
    if finding.failed:
        _indented(f"{finding.cause}: {finding.failed}")
    if finding.hint:
        _indented(f"hint: {finding.hint}")


def _packages(imports: Iterable[str]) -> list[str]:
    """Return a line for each package of some imports: ``wasi:io@0.2.9: poll, streams``."""
    from qwasr.backends import Binding

    return [
        line.strip()
        for line in Binding(interface="", store=None, backend="", why="", imports=tuple(imports)).describe()[1:]
    ]


def _indented(text: str) -> None:
    click.echo(f"{'':{_WIDTH}}    {text}")
