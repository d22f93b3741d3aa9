"""Starting the tools that build guests, and what is raised when they are missing or fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["BUILD", "TOOLS", "BuildError", "MissingTool", "program", "run"]

TOOLS = Path(__file__).resolve().parent
BUILD = TOOLS.parent / "build"


class MissingTool(Exception):
    """A guest's language has no tools here; the message says what to install."""


class BuildError(Exception):
    """A guest's build failed; the message holds what its tools printed."""


def run(*command: str | Path, cwd: Path = TOOLS, env: dict[str, str] | None = None) -> str:
    """Runs a tool; returns what it printed.

    Raises:
        BuildError: when it fails.
    """
    parts = [str(part) for part in command]
    done = subprocess.run(parts, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(parts)}\n{done.stdout}{done.stderr}")
    return done.stdout


def program(name: str, hint: str) -> str:
    """Finds a program on the PATH.

    Raises:
        MissingTool: when it is not there; the hint says what to install.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not on the PATH: {hint}")
    return found
