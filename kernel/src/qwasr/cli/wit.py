"""`qwasr wit`: a ready `wit` folder for a guest."""

from __future__ import annotations

from pathlib import Path

import click

from qwasr import wit


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in wit.worlds() if name.startswith(incomplete)]


@click.command("wit")
@click.argument("worlds", metavar="[WORLD]...", nargs=-1, shell_complete=_complete)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("wit"),
    show_default=True,
    help="The folder to write, which is not there yet.",
)
def command(worlds: tuple[str, ...], output: Path) -> None:
    """Write the wit folder of a guest: a world, and below deps every package that it needs.

    WORLD is what the guest imports and exports: "wasi:http/proxy", "http/proxy", "keyvalue" for all that a guest
    imports of wasi:keyvalue, "wasi:keyvalue/watch-service@0.2.0-draft" for one version. Of several worlds the guest
    gets everything. Without WORLD the worlds that there are are listed.
    """
    if not worlds:
        click.echo("\n".join(wit.worlds()))
        return
    files = wit.write_guest_folder(worlds, output)
    click.echo(f"{output} is written: {', '.join(files)}")
