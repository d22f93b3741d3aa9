"""Every import arrow points down, and none sideways: docs/architecture.md."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from qwasr._known import BACKEND_DISTRIBUTIONS, WIT_DISTRIBUTIONS

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for path in ROOT.glob("*/src/*/**/*.py") if "templates" not in path.parts)
SOURCES += sorted(path for path in ROOT.glob("*/*/src/*/**/*.py") if path.is_relative_to(ROOT / "interfaces"))
SOURCES += sorted((ROOT / "backends").glob("*/src/*/**/*.py"))
OURS = re.compile(r"qwasr(_\w+)?|mik\w*|tools|tests|bench|soak|fuzz|kernel|interfaces|backends|examples")


def imported(path: Path) -> set[str]:
    """The packages of this repository that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {package for name in names if OURS.fullmatch(package := name.partition(".")[0])}


def wit_of(interface: str) -> str:
    """The WIT packages that an interface serves, as text."""
    folders = [folder for folder in (ROOT / "wit").iterdir() if re.match(rf"wasi-{interface}\b", folder.name)]
    return "".join(file.read_text() for folder in folders for file in folder.rglob("*.wit"))


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[parts.index("src") + 1]


def test_hints_name_packages_of_this_repository_and_no_others() -> None:
    def distributions(folder: str) -> set[str]:
        return {tomllib.loads(path.read_text())["project"]["name"] for path in (ROOT / folder).glob("*/pyproject.toml")}

    assert set(WIT_DISTRIBUTIONS.values()) == distributions("interfaces")
    assert set(BACKEND_DISTRIBUTIONS.values()) == distributions("backends")


def test_there_are_sources_of_every_layer() -> None:
    packages = {package_of(path) for path in SOURCES}
    assert {"qwasr", "qwasr_wasi", "qwasr_vault", "mik_backend_redis"} <= packages


@pytest.mark.parametrize("package", sorted({package_of(path) for path in SOURCES}))
def test_a_package_imports_what_is_below_it_and_nothing_beside_it(package: str) -> None:
    found = {name for path in SOURCES if package_of(path) == package for name in imported(path)} - {package, "qwasr"}
    if package == "qwasr":
        assert found == set()
    elif package.startswith("qwasr_"):
        # another interface only where its WIT uses that one's types
        allowed = {"qwasr_wasi"} if re.search(r"wasi:(io|clocks)/", wit_of(package.removeprefix("qwasr_"))) else set()
        assert found <= allowed
    else:
        assert {name for name in found if not name.startswith("qwasr_")} == set()
