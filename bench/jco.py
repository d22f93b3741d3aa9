"""`jco serve`, the peer in JavaScript: installed from npm in the version that `tools/jco/package-lock.json` names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tools.languages import JCO, BuildError, install_npm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find_jco"]


def find_jco() -> Path | str:
    """Return the program, installed the first time (340 MB); or else why there is none, as a sentence."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "no figures of `jco serve`: `node` and `npm` are not both on the PATH"
    try:
        return install_npm(JCO) / ".bin" / "jco"
    except BuildError as error:
        return f"no figures of `jco serve`: it cannot be installed ({str(error).strip().splitlines()[-1]})"
