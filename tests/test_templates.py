"""A stranger's packages: both templates as wheels, beside ours, in a fresh environment, used by a guest there."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = [ROOT, ROOT / "kernel", *sorted(path.parent for path in ROOT.glob("interfaces/*/pyproject.toml"))]
TEMPLATES = [ROOT / "examples" / "backend-template", ROOT / "examples" / "interface-template"]
SLOW_S = 300  # packages that are not in uv's cache have to be fetched

# A command: it counts its runs in the store `visits`, and leaves there how it was greeted.
GUEST = """
(component
  (import "demo:greeting/greet@0.1.0" (instance $greeting
    (export "greet" (func (param "name" string) (result (result string (error string)))))))
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $e)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))
    (export "[method]bucket.set" (func (param "self" (borrow $bucket)) (param "key" string) (param "value" (list u8))
      (result (result (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
    (alias outer 1 $bucket (type $ob)) (export "bucket" (type $bucket (eq $ob)))
    (alias outer 1 $error (type $oe)) (export "error" (type $error (eq $oe)))
    (export "increment" (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
      (result (result s64 (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 100) "visits")
    (data (i32.const 110) "count")
    (data (i32.const 120) "greeting")
    (data (i32.const 130) "Ada")
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $greet (canon lower (func $greeting "greet") (memory $m) (realloc $realloc)))
  (core func $open (canon lower (func $store "open") (memory $m) (realloc $realloc)))
  (core func $set (canon lower (func $store "[method]bucket.set") (memory $m) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $m) (realloc $realloc)))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "greet" (func $greet (param i32 i32 i32)))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (func (export "run") (result i32) (local $bucket i32)
      (call $open (i32.const 100) (i32.const 6) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
      (local.set $bucket (i32.load (i32.const 4)))
      (call $increment (local.get $bucket) (i32.const 110) (i32.const 5) (i64.const 1) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
      (call $greet (i32.const 130) (i32.const 3) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
      (call $set (local.get $bucket) (i32.const 120) (i32.const 8)
        (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 16))
      (i32.load8_u (i32.const 16))))
  (core instance $i (instantiate $main (with "host" (instance
    (export "memory" (memory $m)) (export "greet" (func $greet)) (export "open" (func $open))
    (export "set" (func $set)) (export "increment" (func $increment))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment that knows nothing of this repository but wheels."""

    python: Path
    wheels: Path

    def run(self, *command: str | Path, cwd: Path, **environ: str) -> str:
        """Run a command of the environment and return what it printed; fail with all of that otherwise."""
        return run(self.python.with_name(str(command[0])), *command[1:], cwd=cwd, **environ)


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> str:
    # What chooses backends and finds packages on this machine is not part of a fresh environment.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QWASR_", "PYTHON", "VIRTUAL_"))}
    done = subprocess.run(command, cwd=cwd, env=clean | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def outside_packages(project: Path) -> list[str]:
    """What a distribution needs that is not ours."""
    needs: list[str] = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    return [need for need in needs if not need.startswith("qwasr")]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("stranger")
    uv = Path(sys.executable).with_name("uv")
    wheels = folder / "wheels"
    build = (uv, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", wheels)
    for project in [*OURS, *TEMPLATES]:
        run(*build, project)
    venv = folder / "venv"
    run(uv, "venv", "-q", "--python", sys.executable, venv)
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    needed = folder / "needed.txt"
    needs = [need for project in OURS for need in outside_packages(project)]
    needed.write_text("\n".join([*needs, "pytest", "pytest-asyncio"]))
    install = (uv, "pip", "install", "-q", "--python", python)
    run(*install, "--constraint", ROOT / "requirements.lock", "--requirements", needed)
    run(*install, "--no-deps", "--no-index", *sorted(wheels.glob("*.whl")))
    run(uv, "pip", "check", "-q", "--python", python)
    return Environment(python, wheels)


@pytest.mark.timeout(SLOW_S)
def test_every_distribution_and_both_templates_are_wheels(environment: Environment) -> None:
    names = {wheel.name.partition("-")[0] for wheel in environment.wheels.glob("*.whl")}
    assert {"qwasr", "qwasr_kernel", "qwasr_keyvalue", "jsonfile_backend", "demo_greeting"} <= names


@pytest.mark.timeout(SLOW_S)
def test_a_guest_uses_both_templates_chosen_by_variables(environment: Environment, tmp_path: Path) -> None:
    guest = tmp_path / "guest.wat"
    guest.write_text(GUEST)
    store = tmp_path / "store.json"
    variables = {"QWASR_KEYVALUE": "jsonfile", "JSONFILE_PATH": str(store), "GREETING_WORD": "Moin"}
    for _ in range(2):
        environment.run("qwasr", "run", guest, cwd=tmp_path, **variables)
    entries = {key: base64.b64decode(value) for key, (value, _) in json.loads(store.read_text())["visits"].items()}
    assert entries == {"count": b"2", "greeting": b"Moin, Ada!"}


@pytest.mark.timeout(SLOW_S)
def test_the_same_guest_runs_on_the_embedded_default_when_nothing_is_configured(
    environment: Environment, tmp_path: Path
) -> None:
    guest = tmp_path / "guest.wat"
    guest.write_text(GUEST)
    assert environment.run("qwasr", "run", guest, cwd=tmp_path) == ""
    assert "memory" in environment.run("qwasr", "doctor", guest, cwd=tmp_path)


@pytest.mark.timeout(SLOW_S)
def test_the_installed_plugins_are_listed_with_their_distributions(environment: Environment, tmp_path: Path) -> None:
    printed = environment.run("qwasr", "plugins", cwd=tmp_path)
    for distribution, offer in [("jsonfile-backend", "jsonfile"), ("demo-greeting", "demo:greeting/greet")]:
        assert distribution in printed
        assert offer in printed


@pytest.mark.timeout(SLOW_S)
def test_an_installed_qwasr_writes_wit_folders_and_brings_the_fixture_guest(
    environment: Environment, tmp_path: Path
) -> None:
    said = environment.run("qwasr", "wit", "http/proxy", "sql", "-o", tmp_path / "wit", cwd=tmp_path)
    assert "deps/wasi-sql-0.2.0-draft.wit" in said
    assert len(list((tmp_path / "wit" / "deps").iterdir())) > 7
    assert "guest --" in environment.run("pytest", "--fixtures", "-q", cwd=tmp_path)


@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_templates_own_tests_pass_outside_of_this_repository(
    environment: Environment, template: Path, tmp_path: Path
) -> None:
    for file in (template / "tests").glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    environment.run("pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", tmp_path, cwd=tmp_path)


@pytest.mark.parametrize(
    ("guide", "template"),
    [("writing-a-backend.md", "backend-template"), ("writing-an-interface.md", "interface-template")],
)
def test_the_guides_show_what_the_templates_run(guide: str, template: str) -> None:
    text = (ROOT / "docs" / guide).read_text()
    shown = re.findall(r"^```(?:python|toml|wit)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    sources = [path for ending in ("py", "toml", "wit") for path in (ROOT / "examples" / template).rglob(f"*.{ending}")]
    there = [path.read_text() for path in sources]
    assert shown
    for block in shown:
        assert any(block in source for source in there), f"{guide} shows what is not in {template}:\n{block}"
