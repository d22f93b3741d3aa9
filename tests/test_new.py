"""`qwasr new`: what it writes is complete, is called what was asked for, and its tests pass at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.languages import LANGUAGES, MissingTool

ROOT = Path(__file__).resolve().parents[1]
SLOW_S = 900  # the first build of Rust's library
MARKERS = {"python": "app.py", "c": "guest.c", "rust": "Cargo.toml"}


def qwasr(*arguments: object, into: Path) -> subprocess.CompletedProcess[str]:
    """Run `qwasr new` in a folder."""
    words = [str(Path(sys.executable).with_name("qwasr")), "new", *map(str, arguments)]
    return subprocess.run(words, cwd=into, capture_output=True, text=True, check=False)


def new(*arguments: object, into: Path) -> Path:
    """The folder that `qwasr new` has written."""
    done = qwasr(*arguments, into=into)
    assert done.returncode == 0, done.stderr
    (folder,) = into.iterdir()
    assert done.stdout.startswith(f"{folder.name} is written. Next:\n  cd {folder.name}\n")
    return folder


def run_tests(folder: Path) -> str:
    """Run a package's own tests as its README says; return what pytest printed."""
    clean = {
        name: text for name, text in os.environ.items() if not name.startswith(("QWASR_", "PYTEST_", "PYTHONPATH"))
    }
    # What is built once is not built again for each test of this repository.
    shared = {"CARGO_TARGET_DIR": str(ROOT / "build/rust"), "QWASR_CACHE_DIR": str(ROOT / "build/cache")}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=folder, env=clean | shared, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def texts(folder: Path) -> str:
    """All names and texts of a folder but those of WIT packages."""
    files = [path for path in folder.rglob("*") if path.is_file() and "deps" not in path.parts]
    return "\n".join(f"{path.relative_to(folder)}\n{path.read_text()}" for path in files)


def test_a_new_backend_passes_the_rules_of_its_interface(tmp_path: Path) -> None:
    assert "passed" in run_tests(new("backend", "my-shelf", into=tmp_path))


def test_a_new_backend_is_called_what_was_asked_for(tmp_path: Path) -> None:
    folder = new("backend", "my-shelf", into=tmp_path)
    assert "jsonfile" not in texts(folder).lower()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == folder.name == "my-shelf-backend"
    assert project["entry-points"]["qwasr"] == {"my-shelf": "my_shelf_backend"}
    assert "class MyShelf(" in texts(folder)
    assert "MY_SHELF_PATH" in (folder / "README.md").read_text()


def test_a_new_interface_passes_its_tests(tmp_path: Path) -> None:
    assert "passed" in run_tests(new("interface", "acme:ware-house", into=tmp_path))


def test_a_new_interface_is_called_what_was_asked_for(tmp_path: Path) -> None:
    folder = new("interface", "acme:ware-house", into=tmp_path)
    assert "greeting" not in texts(folder).lower()
    assert folder.name == "acme-ware-house"
    assert "package acme:ware-house@0.1.0;" in (folder / "wit" / "ware_house.wit").read_text()
    assert 'wit="acme:ware-house/greet"' in (folder / "src" / "ware_house" / "__init__.py").read_text()


@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("language", MARKERS)
def test_a_new_guest_is_built_and_answers(tmp_path: Path, language: str) -> None:
    (tools,) = [one for one in LANGUAGES if one.marker == MARKERS[language]]
    try:
        tools.versions()
    except MissingTool as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"a guest in {language} cannot be built here: {error}")
    assert "1 passed" in run_tests(new("guest", "my-app", "--lang", language, into=tmp_path))
    assert (tmp_path / "my-app" / "my-app.wasm").exists()


@pytest.mark.parametrize("language", MARKERS)
def test_a_new_guest_has_its_name_and_every_wit_package(tmp_path: Path, language: str) -> None:
    folder = new("guest", "my-app", "--lang", language, into=tmp_path)
    said = texts(folder)
    assert "example:my-app" in said
    assert not any(word in said for word in ("NAME", "CRATE", "LANGUAGE", "TOOLS", "hello-"))
    packages = {path.stem for path in (folder / "wit" / "deps").iterdir()}
    assert packages == {path.parent.name for path in (ROOT / "wit").glob("*/package.wit")}


def test_guests_are_built_with_the_tools_that_ours_are(tmp_path: Path) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    for language in MARKERS:
        (tmp_path / language).mkdir()
        folder = new("guest", "my-app", "--lang", language, into=tmp_path / language)
        needs = tomllib.loads((folder / "pyproject.toml").read_text())["dependency-groups"]["dev"]
        assert [need for need in needs if need not in ours] == ["qwasr", "pytest", "pytest-asyncio"]


@pytest.mark.parametrize(
    "name", ["", "My", "a b", "../a", "a--b", "-a", "a-", "a_b", "1a", "a-1", "a" * 41, "ä", "list"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    for words in (["backend"], ["interface"], ["guest"]):
        done = qwasr(*words, "--", name, into=tmp_path)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interface_that_would_hide_a_module_is_refused(tmp_path: Path) -> None:
    assert "there is a Python module 'email' already" in qwasr("interface", "email", into=tmp_path).stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("backend", "memory"), "there is a backend 'memory' for keyvalue already"),
        (("backend", "redis"), "there is a backend 'redis' for keyvalue already"),
        (("backend", "simple-key-value"), "the template itself calls something 'SimpleKeyValue'"),
        (("interface", "keyvalue"), "there is an interface 'keyvalue' already"),
        (("interface", "host-interface"), "the template itself calls something 'HostInterface'"),
        (("interface", "acme:wit-error"), "the template itself calls something 'WitError'"),
        (("interface", "runtime"), "the template itself calls something 'Runtime'"),
    ],
)
def test_a_name_that_would_clash_is_refused(tmp_path: Path, words: tuple[str, str], complaint: str) -> None:
    done = qwasr(*words, into=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert complaint in done.stderr


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shelf-backend").mkdir()
    (tmp_path / "shelf-backend" / "mine").write_text("mine")
    done = qwasr("backend", "shelf", into=tmp_path)
    assert (done.returncode, done.stderr) == (2, "qwasr: shelf-backend is there already\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["shelf-backend", "mine"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = qwasr("backend", "shelf", "--into", "file/below", into=tmp_path)
    assert done.returncode == 2
    assert "cannot write file/below/shelf-backend" in done.stderr
