"""Builds NAME.wasm with cargo: `python build_guest.py`, after `rustup target add wasm32-wasip2`.

Where there is no such target but the sources of Rust's library (Debian: rustc-web, rust-web-src), the library is built
too, linked by zig's linker (PyPI), and jco (npm) makes the component.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COMPONENT = FOLDER / "NAME.wasm"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or FOLDER / "target").resolve()
CARGO = ("cargo", "build", "--quiet", "--release", "--target-dir", TARGET, "--target")


def build() -> Path:
    """Build the component and return its path."""
    compilers = [one for one in (shutil.which("rustc"), shutil.which("rustc", path=os.defpath)) if one is not None]
    for rustc in compilers:
        if Path(ask(rustc, "--print", "target-libdir", "--target", "wasm32-wasip2")).exists():
            run(*CARGO, "wasm32-wasip2", RUSTC=rustc)
            shutil.copy(TARGET / "wasm32-wasip2/release/CRATE.wasm", COMPONENT)
            return COMPONENT
    for rustc in compilers:
        if (Path(ask(rustc, "--print", "sysroot")) / "lib/rustlib/src/rust/library/Cargo.lock").exists():
            return build_with_library(rustc)
    sys.exit("Rust has no wasm32 target: rustup target add wasm32-wasip2")


def build_with_library(rustc: str) -> Path:
    """Build Rust's library and the component, and return its path."""
    linker = TARGET / "wasm-ld"
    linker.parent.mkdir(parents=True, exist_ok=True)
    # rustc begins with "-flavor wasm", which only its own linker understands
    linker.write_text(f'#!/bin/sh\n[ "$1" != -flavor ] || shift 2\nexec "{sys.executable}" -m ziglang wasm-ld "$@"\n')
    linker.chmod(0o755)
    variables = {"RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER": str(linker)}
    run(*CARGO, "wasm32-unknown-unknown", "-Zbuild-std=std,panic_abort", RUSTC=rustc, **variables)
    if not (FOLDER / "node_modules").exists():
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--silent")
    run("node", "componentize.mjs", TARGET / "wasm32-unknown-unknown/release/CRATE.wasm", COMPONENT)
    return COMPONENT


def run(*command: str | Path, **variables: str) -> None:
    """Run a command here, and end with its message when it fails."""
    subprocess.run(command, cwd=FOLDER, check=True, env={**os.environ, **variables})


def ask(*command: str) -> str:
    """Return what a command prints; nothing when it does not know the question."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or os.devnull + "/none"


if __name__ == "__main__":
    print(build())
