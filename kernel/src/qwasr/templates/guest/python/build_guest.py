"""Builds NAME.wasm with componentize-py: `python build_guest.py`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COMPONENT = FOLDER / "NAME.wasm"


def build() -> Path:
    """Build the component and return its path."""
    tool = Path(sys.executable).with_name("componentize-py")
    # The tool takes up every module of the folder it is given, so it gets the application alone.
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(FOLDER / "app.py", folder)
        command = [tool, "-d", FOLDER / "wit", "componentize", "-p", folder, "app", "-o", COMPONENT]
        subprocess.run(command, check=True)
    return COMPONENT


if __name__ == "__main__":
    print(build())
