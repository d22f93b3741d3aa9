"""WIT folders for guests: which world is meant, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from qwasr.cli import command
from qwasr.errors import ConfigurationError
from qwasr.wit import find_world, wit_tree, worlds, write_guest_folder

TEXTS = {
    "demo-shelf-0.1.0-draft": "package demo:shelf@0.1.0-draft;\nworld imports {\n}\n",
    "demo-shelf-0.1.0-draft2": "package demo:shelf@0.1.0-draft2;\nworld imports {\n}\nworld watch {\n}\n",
    "demo-shelf-0.1.0": (
        "package demo:shelf@0.1.0;\nworld imports {\n  import demo:wood/oak@0.2.0;\n}\nworld serve {\n}\n"
    ),
    "demo-wood-0.2.0": "package demo:wood@0.2.0;\ninterface oak {\n}\nworld all {\n}\n",
    "demo-wood-0.10.0": "package demo:wood@0.10.0;\nworld all {\n}\n",
    "demo-glass-1.0.0": "package demo:glass@1.0.0;\nworld a {\n}\nworld b {\n}\n",
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "package.wit").write_text(text)
    return tmp_path / "packages"


@pytest.mark.parametrize(
    ("wanted", "world"),
    [
        ("demo:shelf/serve@0.1.0", "demo:shelf/serve@0.1.0"),
        ("demo:shelf/serve", "demo:shelf/serve@0.1.0"),
        ("shelf/serve", "demo:shelf/serve@0.1.0"),
        ("shelf", "demo:shelf/imports@0.1.0"),
        ("shelf@0.1.0-draft2", "demo:shelf/imports@0.1.0-draft2"),
        ("shelf/watch", "demo:shelf/watch@0.1.0-draft2"),
        ("wood", "demo:wood/all@0.10.0"),
    ],
)
def test_a_world_is_found_by_as_much_of_its_name_as_is_needed(packages: Path, wanted: str, world: str) -> None:
    assert find_world(wanted, packages) == world


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("", "names no world"),
        ("../x", "names no world"),
        ("Shelf", "names no world"),
        ("a" * 1000, "names no world"),
        ("shelv", "Did you mean 'shelf'"),
        ("other:shelf", "no package fits"),
        ("shelf@9", "no package fits"),
        ("shelf/nothing", "There are: demo:shelf/imports@0.1.0"),
        ("glass", "There are: demo:glass/a@1.0.0, demo:glass/b@1.0.0"),
    ],
)
def test_what_names_no_world_is_an_error_that_lists_some(packages: Path, wanted: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        find_world(wanted, packages)


def test_a_folder_has_a_world_and_all_packages_that_it_names(packages: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "wit"
    files = write_guest_folder(["shelf", "glass/a", "shelf"], target, packages)
    assert files == [
        "deps/demo-glass-1.0.0.wit",
        "deps/demo-shelf-0.1.0.wit",
        "deps/demo-wood-0.2.0.wit",
        "world.wit",
    ]
    assert [str(path.relative_to(target)) for path in sorted(target.rglob("*.wit"))] == files
    world = (target / "world.wit").read_text()
    assert "  include demo:shelf/imports@0.1.0;\n  include demo:glass/a@1.0.0;\n" in world


def test_a_folder_that_is_there_is_left_alone(packages: Path, tmp_path: Path) -> None:
    target = tmp_path / "wit"
    target.mkdir()
    with pytest.raises(ConfigurationError, match="is there already"):
        write_guest_folder(["shelf"], target, packages)
    assert list(target.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_guest_folder(["shelf"], tmp_path / "file" / "wit", packages)


def test_a_world_that_is_not_there_writes_nothing(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no package fits"):
        write_guest_folder(["shelf", "nothing"], tmp_path / "wit", packages)
    assert not (tmp_path / "wit").exists()


def test_a_tree_leaves_out_packages_that_the_folder_itself_has(packages: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "deps").mkdir(parents=True)
    (own / "world.wit").write_text("package a:b;\nworld c {\n  include demo:shelf/imports@0.1.0;\n}\n")
    (own / "deps" / "shelf.wit").write_text("package demo:shelf@0.1.0;\nworld imports {\n}\n")
    assert list(wit_tree(own, packages)) == ["deps/shelf.wit", "world.wit"]


def test_the_command_lists_worlds_or_writes_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(command, ["wit"], catch_exceptions=False)
    assert listed.output.splitlines() == worlds()
    assert "wasi:keyvalue/imports@0.2.0-draft2" in listed.output
    written = CliRunner().invoke(command, ["wit", "http/proxy", "keyvalue"], catch_exceptions=False)
    assert written.output.startswith("wit is written: deps/wasi-cli-0.2.12.wit")
    assert "include wasi:http/proxy@0.2.12;" in (tmp_path / "wit" / "world.wit").read_text()
