"""The WIT packages in `wit/`: complete, free of prose, and readable by a tool that is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qwasr.wit import wit_tree, worlds, write_guest_folder
from tools.guests import ROOT, write_tree

PACKAGES = sorted((ROOT / "wit").glob("*/package.wit"))


def make_bindings(folder: Path, world: str, target: Path) -> None:
    """Have componentize-py read a folder and make something of a world of it."""
    tool = Path(sys.executable).with_name("componentize-py")
    command: list[str | Path] = [tool, "--all-features", "-d", folder, "-w", world, "bindings", target]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_lies_in_the_folder_that_its_name_and_version_give(package: Path) -> None:
    declared = re.search(r"^package ([a-z-]+):([a-z-]+)@(.+);$", package.read_text(), re.MULTILINE)
    assert declared is not None
    assert package.parent.name == "-".join(declared.groups())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_holds_signatures_and_no_documentation(package: Path) -> None:
    assert "///" not in package.read_text()
    assert "/*" not in package.read_text()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_every_interface_of_a_package_is_read_by_the_tool(package: Path, tmp_path: Path) -> None:
    text = package.read_text()
    interfaces = re.findall(r"^interface ([a-z0-9-]+)", text, re.MULTILINE)
    assert interfaces
    name, _, version = re.findall(r"^package ([^;]+);", text, re.MULTILINE)[0].partition("@")
    imports = "\n".join(f"  import {name}/{interface}@{version};" for interface in interfaces)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "world.wit").write_text(f"package local:test;\nworld every {{\n{imports}\n}}\n")
    write_tree(tmp_path / "wit", wit_tree(tmp_path / "own"))
    make_bindings(tmp_path / "wit", "every", tmp_path / "bindings")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_componentize_py_makes_bindings_of_every_world_of_a_package(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wit"
    write_tree(folder, wit_tree(package.parent))
    for world in re.findall(r"^world ([a-z-]+)", package.read_text(), re.MULTILINE):
        make_bindings(folder, world, tmp_path / world)
        assert list((tmp_path / world).glob("wit_world/**/*.py"))


def test_a_folder_that_the_command_writes_is_read_by_the_tool_with_all_worlds_in_it(tmp_path: Path) -> None:
    newest = sorted({world.partition("@")[0] for world in worlds()})
    write_guest_folder(newest, tmp_path / "wit")
    make_bindings(tmp_path / "wit", "guest", tmp_path / "bindings")
