"""The tool that builds guests: what it collects, and when it builds again."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwasr.wit import wit_tree
from tools.guests import ROOT, Guest, discover
from tools.languages import Job, Language, MissingTool


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one WIT package and the sources of one guest."""
    (tmp_path / "wit" / "a-clock-1.0.0").mkdir(parents=True)
    (tmp_path / "wit" / "a-clock-1.0.0" / "package.wit").write_text("package a:clock@1.0.0;\ninterface now {}\n")
    (tmp_path / "examples" / "toy" / "wit").mkdir(parents=True)
    (tmp_path / "examples" / "toy" / "wit" / "world.wit").write_text("world w { import a:clock/now@1.0.0; }\n")
    (tmp_path / "examples" / "toy" / "app.py").write_text("print()\n")
    return tmp_path


def toy(repository: Path, version: str = "1") -> Guest:
    def build(job: Job) -> None:
        job.target.write_bytes(b"\0asm")

    return Guest(repository / "examples" / "toy", Language("app.py", lambda: [version], build), repository)


def test_a_guest_that_did_not_change_is_not_built_again(repository: Path) -> None:
    assert toy(repository).build() is True
    assert toy(repository).build() is False


def test_a_changed_source_is_built_again(repository: Path) -> None:
    toy(repository).build()
    (repository / "examples" / "toy" / "app.py").write_text("print(1)\n")
    assert toy(repository).build() is True


def test_a_changed_wit_package_is_a_reason_to_build_again(repository: Path) -> None:
    toy(repository).build()
    (repository / "wit" / "a-clock-1.0.0" / "package.wit").write_text("package a:clock@1.0.0;\ninterface then {}\n")
    assert toy(repository).build() is True


def test_another_version_of_the_tools_is_a_reason_to_build_again(repository: Path) -> None:
    toy(repository).build()
    assert toy(repository, version="2").build() is True


@pytest.mark.parametrize("name", ["README.md", "qwasr.toml"])
def test_a_changed_file_that_is_no_source_is_no_reason_to_build_again(repository: Path, name: str) -> None:
    toy(repository).build()
    (repository / "examples" / "toy" / name).write_text("# toy\n")
    assert toy(repository).build() is False


def test_the_packages_that_a_world_needs_are_put_beside_it(repository: Path) -> None:
    guest = toy(repository)
    guest.build()
    assert (guest.wit / "deps" / "a-clock-1.0.0.wit").exists()


def test_a_wit_tree_follows_packages_that_packages_name() -> None:
    tree = wit_tree(ROOT / "wit" / "wasi-http-0.2.12")
    assert "deps/wasi-io-0.2.12.wit" in tree
    assert "deps/wasi-sockets-0.2.12.wit" in tree


def test_a_package_is_not_put_beside_itself() -> None:
    assert "deps/wasi-http-0.2.12.wit" not in wit_tree(ROOT / "wit" / "wasi-http-0.2.12")


def test_a_program_that_is_not_there_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingTool, match=r"install Node\.js"):
        discover()["hello-c"].build()


def test_every_example_with_a_world_is_found() -> None:
    assert {"http", "hello-c", "hello-rust", "blobstore-js", "commands"} <= set(discover())
