"""How a guest of each language becomes a component: componentize-py, jco, zig's C compiler and its wasi-libc, cargo."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.packages import PREVIEW1_COMMAND
from tools.processes import BUILD, TOOLS, BuildError, MissingTool, program, run

__all__ = [
    "JCO",
    "LANGUAGES",
    "BuildError",
    "Job",
    "Language",
    "MissingTool",
    "build_native",
    "componentize_program",
]

JCO = TOOLS / "jco"  # npm's packages that are for guests in JavaScript alone: they are 340 MB
_INSTALLING = threading.Lock()
_NODE_MAJOR = 20
_C_FLAGS = ("-target", "wasm32-freestanding", "-std=c11", "-Oz", "-nostdlib", "-mbulk-memory")
_C_WARNINGS = ("-Wall", "-Wextra", "-Werror")
_C_LIBC_FLAGS = ("-target", "wasm32-wasi", "-std=gnu11", "-O2", "-mbulk-memory")
_C_LINKER = ("-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,-z,stack-size=65536")


@dataclass(frozen=True, slots=True)
class Job:
    """One build: a guest's folder and sources, its complete WIT tree, and the component to write.

    The target lies in a folder of its own, which is deleted after the build.
    """

    folder: Path
    sources: tuple[Path, ...]
    wit: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Language:
    """A language by the file that marks its guests.

    `versions` raises MissingTool, or returns what identifies the tools: another value means another build.
    """

    marker: str
    versions: Callable[[], list[str]]
    build: Callable[[Job], None]


def _distribution(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        msg = f"{name} is not installed in this environment: `make .venv/.stamp` does it"
        raise MissingTool(msg) from None


# Python


def _python_versions() -> list[str]:
    return [_distribution("componentize-py")]


def _build_python(job: Job) -> None:
    """componentize-py takes up every module of the folder it is given, so it gets the sources alone."""
    app = job.target.parent / "app"
    for source in job.sources:
        copy = app / source.relative_to(job.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    tool = Path(sys.executable).with_name("componentize-py")
    run(tool, "-d", job.wit, "componentize", "-p", app, "app", "-o", job.target)


# C, and the step from a core module to a component that Rust needs, too


def _componentizer_versions() -> list[str]:
    version = run(program("node", "install Node.js 20 or newer"), "--version").strip()
    program("npm", "install npm, with Node.js 20 or newer")
    if int(version.lstrip("v").partition(".")[0]) < _NODE_MAJOR:
        msg = f"Node.js is {version}: install {_NODE_MAJOR} or newer"
        raise MissingTool(msg)
    return [(TOOLS / "package-lock.json").read_text(), (TOOLS / "componentize.mjs").read_text()]


def install_npm(folder: Path) -> Path:
    """Install what a folder's `package-lock.json` names, unless it is there; return the folder of the packages."""
    modules, lock = folder / "node_modules", folder / "package-lock.json"
    installed = modules / ".package-lock.json"
    with _INSTALLING:  # guests are built side by side, and one folder serves many
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            # not `npm ci`: it refuses a lock that lacks optional packages, and jco-node-fs names some that do not exist
            run("npm", "install", "--no-save", "--ignore-scripts", "--no-progress", cwd=folder)
            installed.touch()
    return modules


def _componentize(core: Path, target: Path, *wit_and_adapter: Path | str) -> None:
    install_npm(TOOLS)
    run("node", TOOLS / "componentize.mjs", core, target, *wit_and_adapter)


def _c_versions() -> list[str]:
    return [_distribution("ziglang"), *_componentizer_versions()]


def _zig_cc(*arguments: str | Path) -> None:
    run(sys.executable, "-m", "ziglang", "cc", *arguments)


def _build_c(job: Job) -> None:
    core = job.target.with_name("core.wasm")
    sources = [path for path in job.sources if path.suffix == ".c"]
    _zig_cc(*_C_FLAGS, *_C_WARNINGS, *_C_LINKER, *sources, "-o", core)
    _componentize(core, job.target, job.wit)


# JavaScript


def _javascript_versions() -> list[str]:
    _componentizer_versions()
    return [(JCO / name).read_text() for name in ("package-lock.json", "componentize.mjs")]


def _build_javascript(job: Job) -> None:
    install_npm(JCO)
    run("node", JCO / "componentize.mjs", job.folder / "guest.js", job.wit, job.target)


# C programs with `main`, linked with wasi-libc: commands


def _command_versions() -> list[str]:
    return [*_c_versions(), PREVIEW1_COMMAND.sha256, (TOOLS / "exit_code.c").read_text()]


def _build_command(job: Job) -> None:
    core = job.target.with_name("core.wasm")
    objects = []
    for source in (path for path in job.sources if path.suffix == ".c"):
        made = job.target.with_name(f"{source.stem}.o")
        renamed = ("-Dmain=program_main", "-Dexit=program_exit")
        _zig_cc(*_C_LIBC_FLAGS, *_C_WARNINGS, *renamed, "-c", source, "-o", made)
        objects.append(made)
    _zig_cc(*_C_LIBC_FLAGS, *_C_WARNINGS, "-s", *objects, TOOLS / "exit_code.c", "-o", core)
    _componentize(core, job.target, job.wit, PREVIEW1_COMMAND.get())


def componentize_program(core: Path, target: Path) -> None:
    """Turns a program for WASI preview 1, linked by anyone, into a command."""
    _componentizer_versions()
    _componentize(core, target, "", PREVIEW1_COMMAND.get())


def build_native(sources: Iterable[Path], target: Path) -> None:
    """Builds C sources for this machine: what a command is compared with."""
    _zig_cc("-std=gnu11", "-O2", *_C_WARNINGS, *(path.resolve() for path in sources), "-o", target)


# Rust


@dataclass(frozen=True, slots=True)
class _Rust:
    rustc: str
    version: str
    has_target: bool  # a ready standard library for wasm32-wasip2, as rustup installs it; else std is built from source


def _find_rust() -> _Rust:
    program("cargo", "install Rust, with rustup")
    for rustc in filter(None, (shutil.which("rustc"), shutil.which("rustc", path=os.defpath))):
        library = Path(run(rustc, "--print", "target-libdir", "--target", "wasm32-wasip2").strip())
        sources = Path(run(rustc, "--print", "sysroot").strip()) / "lib/rustlib/src/rust/library/Cargo.lock"
        if library.exists() or sources.exists():
            return _Rust(rustc, run(rustc, "-vV"), library.exists())
    msg = "Rust has no wasm32 target: rustup target add wasm32-wasip2 (on Debian: apt install rustc-web rust-web-src)"
    raise MissingTool(msg)


def _rust_versions() -> list[str]:
    rust = _find_rust()
    return [rust.version] if rust.has_target else [rust.version, _distribution("ziglang"), *_componentizer_versions()]


def _build_rust(job: Job) -> None:
    rust, crate = _find_rust(), job.folder.name
    output = BUILD / "rust"  # one for all crates: the standard library is built once
    output.mkdir(parents=True, exist_ok=True)
    cargo = ("cargo", "build", "--quiet", "--release", "--target-dir", output, "--target")
    library = f"release/{crate.replace('-', '_')}.wasm"
    env = {"RUSTC": rust.rustc}
    if rust.has_target:
        run(*cargo, "wasm32-wasip2", cwd=job.folder, env=env)
        shutil.copy(output / "wasm32-wasip2" / library, job.target)
        return
    linker = output / "wasm-ld"
    written = job.target.with_name("wasm-ld")  # another crate's build may be running the linker that is there
    # rustc begins with "-flavor wasm", which only its own linker understands
    written.write_text(f'#!/bin/sh\n[ "$1" != -flavor ] || shift 2\nexec "{sys.executable}" -m ziglang wasm-ld "$@"\n')
    written.chmod(0o755)
    written.replace(linker)
    env |= {"RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER": str(linker)}
    run(*cargo, "wasm32-unknown-unknown", "-Zbuild-std=std,panic_abort", cwd=job.folder, env=env)
    _componentize(output / "wasm32-unknown-unknown" / library, job.target)


LANGUAGES = (  # those that take longest first: guests are built in this order, side by side
    Language("Cargo.toml", _rust_versions, _build_rust),
    Language("guest.js", _javascript_versions, _build_javascript),
    Language("app.py", _python_versions, _build_python),
    Language("main.c", _command_versions, _build_command),
    Language("guest.c", _c_versions, _build_c),
)
