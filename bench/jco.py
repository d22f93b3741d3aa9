"""`jco serve`, the peer in JavaScript: installed from npm in the version that `npm/package-lock.json` names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tools.languages import BuildError, install_npm

__all__ = ["find_jco"]

_NPM: Final = Path(__file__).resolve().parent / "npm"


def find_jco() -> Path | str:
    """Return the program, installed the first time (340 MB); or else why there is none, as a sentence."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "no figures of `jco serve`: `node` and `npm` are not both on the PATH"
    try:
        return install_npm(_NPM) / ".bin" / "jco"
    except BuildError as error:
        return f"no figures of `jco serve`: it cannot be installed ({str(error).strip().splitlines()[-1]})"
