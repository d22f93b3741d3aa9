"""`qwasr new`: a package to begin with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from qwasr import scaffold

_into = click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder that the new folder is made in.  [default: the working folder]",
)


@click.group("new")
def command() -> None:
    """Write a package to begin with: a backend, an interface, a guest. Its tests pass at once."""


@command.command()
@click.argument("name")
@_into
def backend(name: str, into: Path) -> None:
    """Write a package with a backend for wasi:keyvalue that keeps everything in one file.

    NAME is what QWASR_KEYVALUE will say, for example "shelf" or "my-shelf".
    """
    from qwasr.registry import Registry

    _say(scaffold.new_backend(name, into, Registry(environ=os.environ)), "pip install -e . pytest pytest-asyncio")


@command.command()
@click.argument("name")
@_into
def interface(name: str, into: Path) -> None:
    """Write a package with an interface of your own, the Python behind it, and a backend.

    NAME is the interface, for example "shelf", or "acme:shelf" with the namespace of its WIT package.
    """
    from qwasr.registry import Registry

    _say(scaffold.new_interface(name, into, Registry(environ=os.environ)), "pip install -e . pytest pytest-asyncio")


@command.command()
@click.argument("name")
@click.option(
    "--lang", type=click.Choice(scaffold.LANGUAGES), default="python", show_default=True, help="What it is written in."
)
@_into
def guest(name: str, lang: str, into: Path) -> None:
    """Write a guest that answers HTTP requests, with what builds and tests it.

    NAME is the component's name, for example "my-app".
    """
    _say(scaffold.new_guest(name, lang, into), "python build_guest.py")


def _say(folder: Path, first: str) -> None:
    click.echo(f"{folder} is written. Next:\n  cd {folder}\n  {first}\n  pytest")
