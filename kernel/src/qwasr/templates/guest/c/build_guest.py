"""Builds NAME.wasm with zig's C compiler (PyPI) and jco (npm): `python build_guest.py`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COMPONENT = FOLDER / "NAME.wasm"
FLAGS = ("-target", "wasm32-freestanding", "-std=c11", "-Oz", "-nostdlib", "-mbulk-memory", "-Wall", "-Wextra")
LINKER = ("-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,-z,stack-size=65536")


def build() -> Path:
    """Build the component and return its path."""
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder) / "core.wasm"
        run(sys.executable, "-m", "ziglang", "cc", *FLAGS, *LINKER, "guest.c", "-o", core)
        if not (FOLDER / "node_modules").exists():
            run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--silent")
        run("node", "componentize.mjs", core, COMPONENT, FOLDER / "wit")
    return COMPONENT


def run(*command: str | Path) -> None:
    """Run a command here, and end with its message when it fails."""
    subprocess.run(command, cwd=FOLDER, check=True)


if __name__ == "__main__":
    print(build())
