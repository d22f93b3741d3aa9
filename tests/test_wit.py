"""The WIT packages in `wit/`: complete, free of prose, and readable by a tool that is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.guests import ROOT, wit_tree, write_tree

PACKAGES = sorted((ROOT / "wit").glob("*/package.wit"))


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
def test_componentize_py_makes_bindings_of_every_world_of_a_package(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wit"
    write_tree(folder, wit_tree(package.parent))
    tool = Path(sys.executable).with_name("componentize-py")
    for world in re.findall(r"^world ([a-z-]+)", package.read_text(), re.MULTILINE):
        target = tmp_path / world
        command = [tool, "--all-features", "-d", folder, "-w", world, "bindings", target]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not result.returncode, result.stderr
        assert list(target.glob("wit_world/**/*.py"))
