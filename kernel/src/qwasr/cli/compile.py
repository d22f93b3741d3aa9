"""`qwasr compile`: compile ahead of time."""

from __future__ import annotations

from pathlib import Path

import click

from qwasr.cli._environ import with_environ
from qwasr.errors import ConfigurationError
from qwasr.runtime_options import CommandOptions, RuntimeOptions


@click.command("compile")
@click.argument("component", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write to; a folder must exist or end with a slash.  [default: beside COMPONENT, .cwasm]",
)
@with_environ(
    RuntimeOptions,
    CommandOptions,
    only=("guest_memory_bytes", "guest_fuel", "concurrency", "cache_dir", "env_file", "config_file"),
)
def command(environ: dict[str, str], component: Path, output: Path | None) -> None:
    """Compile COMPONENT to native code for this machine and this version of the engine.

    The result starts in milliseconds with `qwasr run --allow-precompiled`. It is native code: load only what you
    compiled yourself.
    """
    from qwasr.engine import Engine

    target = _target(component, output)
    engine = Engine(RuntimeOptions.from_env(environ).engine(environ))
    try:
        compiled = engine.load(component)
        artefact = compiled.serialize()
    finally:
        engine.close()
    _write(target, artefact)
    how = "taken from the cache" if compiled.from_cache else f"compiled in {compiled.compile_s:.2f} s"
    click.echo(f"{target}: {len(artefact)} bytes from {compiled.size_bytes}, {how}")


def _target(component: Path, output: Path | None) -> Path:
    name = f"{component.stem}.cwasm"
    if output is None:
        return component.with_name(name)
    # pathlib drops a trailing slash, so a folder that is to be made is told by having no suffix.
    target = output / name if output.is_dir() or not output.suffix else output
    if target.resolve() == component.resolve():
        raise ConfigurationError(f"{target} is the component itself; choose another file with -o")
    return target


def _write(target: Path, artefact: bytes) -> None:
    """Write whole or not at all: a torn file is native code too."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(artefact)
        partial.replace(target)
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
