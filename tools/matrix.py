"""Runs the engine's tests on every supported Python besides the one that runs this.

Each version has an environment of its own in `.venvs/<version>`, with what these tests need in the versions of
`requirements.lock`. A version that is not installed is skipped, and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
TESTS = "kernel/tests/engine"


def _candidates(version: str) -> Iterator[Path]:
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def find_python(version: str) -> Path | None:
    """An interpreter of that version that really starts: a pyenv shim may be there and name none."""
    check = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for candidate in _candidates(version):
        if not subprocess.run([candidate, "-c", check], capture_output=True, check=False).returncode:
            return candidate
    return None


def environment(version: str, python: Path, uv: str) -> Path:
    """The interpreter of an environment that holds what the engine's tests need; made when it is not there."""
    folder = ROOT / ".venvs" / version
    stamp, lock = folder / ".stamp", ROOT / "requirements.lock"
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([uv, "venv", "-q", "--clear", "--python", python, folder], check=True)
        pinned = ("--require-hashes", "--constraint", "requirements.lock")
        wanted = ("--requirements", "kernel/pyproject.toml", "--group", "test")
        subprocess.run([uv, "pip", "install", "-q", "--python", interpreter, *pinned, *wanted], check=True, cwd=ROOT)
        stamp.touch()
    return interpreter


def main(uv: str) -> int:
    """Runs the tests, all versions side by side; returns the first exit code that is not zero."""
    # The kernel comes from its folder: an editable install would need its build tools here, too.
    env = os.environ | {"PYTHONPATH": str(ROOT / "kernel" / "src")}
    with contextlib.ExitStack() as stack:
        running = []
        for version in VERSIONS:
            if version == "{}.{}".format(*sys.version_info):
                continue
            python = find_python(version)
            if python is None:
                print(f"Python {version}: skipped, there is no such interpreter on the PATH or in pyenv", flush=True)
                continue
            interpreter = environment(version, python, uv)
            command: list[str | Path] = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
            output = stack.enter_context(tempfile.TemporaryFile())
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
            )
            running.append((version, process, output))
        first_failure = 0
        for version, process, output in running:
            code = process.wait()
            output.seek(0)
            print(f"Python {version}: {TESTS}\n{output.read().decode(errors='replace')}", end="", flush=True)
            first_failure = first_failure or code
        return first_failure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the engine's tests on the other supported Python versions.")
    parser.add_argument("--uv", default="uv", help="the uv to use")
    sys.exit(main(parser.parse_args().uv))
