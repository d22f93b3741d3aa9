"""Builds the guest components of `examples/`, `tests/guests/` and `tests/commands/` into `build/guests/<name>.wasm`.

They are compiled, too, for the tests: into `build/cache`.

A guest is a folder with `wit/world.wit` (one world) and its source: `app.py`, `guest.js`, `guest.c`, `main.c` or
`Cargo.toml`; `main.c` is a C program with `main`, linked with wasi-libc. What its world names is collected from the
repository's `wit/` (and the guest's own `wit/deps/`). A guest is built again when its sources, its WIT, a language's
tools or how they are called change.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from qwasr.engine import Engine, EngineOptions
from qwasr.wit import wit_tree
from tools import languages
from tools.languages import LANGUAGES, BuildError, Job, Language, MissingTool

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "cache"
_FOLDERS = ("examples", "tests/guests", "tests/commands")
_NOT_SOURCE = {"target", "tests", "__pycache__", "README.md", "Cargo.lock", "qwasr.toml"}


@dataclass(frozen=True, slots=True)
class Guest:
    """One folder that a component is built from, below `root`."""

    folder: Path
    language: Language
    root: Path = ROOT

    @property
    def component(self) -> Path:
        """Where the built component lies."""
        return self.root / "build" / "guests" / f"{self.folder.name}.wasm"

    @property
    def wit(self) -> Path:
        """Where the world and the packages that it needs are put together."""
        return self.root / "build" / "wit" / self.folder.name

    def sources(self) -> tuple[Path, ...]:
        """The files that the component is made of, without its WIT."""
        files = ((path, path.relative_to(self.folder).parts) for path in sorted(self.folder.rglob("*")))
        return tuple(p for p, parts in files if p.is_file() and parts[0] != "wit" and not _NOT_SOURCE & set(parts))

    def build(self) -> bool:
        """Builds the component unless it is up to date.

        Returns:
            Whether it had to be built.

        Raises:
            MissingTool: when the language's tools are not installed.
            BuildError: when they fail.
        """
        toolchain = [Path(languages.__file__).read_text(), *self.language.versions()]
        wit = wit_tree(self.folder / "wit", self.root / "wit")
        digest = hashlib.sha256("\0".join(toolchain).encode())
        for name, content in (*wit.items(), *((str(path), path.read_bytes()) for path in self.sources())):
            digest.update(b"%d %d " % (len(name.encode()), len(content)) + name.encode() + content)
        stamp = self.component.with_suffix(".stamp")
        if self.component.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
            return False
        shutil.rmtree(self.wit, ignore_errors=True)
        write_tree(self.wit, wit)
        self.component.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.root / "build") as scratch:
            job = Job(self.folder, self.sources(), self.wit, Path(scratch) / self.component.name)
            self.language.build(job)
            job.target.replace(self.component)  # at once: another process may be reading the old one
        stamp.write_text(digest.hexdigest())
        return True


def write_tree(folder: Path, tree: dict[str, bytes]) -> None:
    """Writes a tree of `wit_tree` into a folder."""
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def discover(root: Path = ROOT) -> dict[str, Guest]:
    """Every guest of the repository by its name."""
    worlds = [world for folder in _FOLDERS for world in root.glob(f"{folder}/*/wit/world.wit")]
    folders = sorted(world.parent.parent for world in worlds)
    kinds = ((folder, language) for language in LANGUAGES for folder in folders)
    return {f.name: Guest(f, language, root) for f, language in kinds if (f / language.marker).exists()}


def main(names: Iterable[str]) -> int:
    """Builds the named guests, or all; returns the exit code.

    A guest whose tools are missing is an error when it was named or `CI` is set, and a line of output otherwise.
    """
    guests = discover()
    wanted = list(names)
    for name in wanted:
        if name not in guests:
            print(f"{name}: no such guest; there are {', '.join(guests)}", file=sys.stderr)
            return 2
    needed = bool(wanted or os.environ.get("CI"))
    engine = Engine(EngineOptions(cache_dir=CACHE))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is the tools': each is a process of its own
        built = list(pool.map(lambda name: _build(guests[name], engine, needed=needed), wanted or guests))
    engine.close()
    return 0 if all(built) else 1


def _build(guest: Guest, engine: Engine, *, needed: bool) -> bool:
    """Builds one guest and says so; returns whether that is well."""
    name, began_s = guest.folder.name, time.monotonic()
    try:
        if guest.build():
            size_kb = guest.component.stat().st_size / 1000
            print(f"{name}: built in {time.monotonic() - began_s:.1f} s, {size_kb:,.0f} kB", flush=True)
        engine.load(guest.component)
    except MissingTool as error:
        print(f"{name}: not built. {error}", file=sys.stderr)
        return not needed
    except BuildError as error:
        print(f"{name}: the build failed.\n{error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build guest components into build/guests/.")
    parser.add_argument("names", nargs="*", metavar="GUEST", help="which guests; all when none is named")
    sys.exit(main(parser.parse_args().names))
