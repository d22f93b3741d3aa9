from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qwasr.environment import all_variables
from qwasr.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
IGNORED = {"build", "dist", "node_modules", "target", "templates"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part in IGNORED or part.startswith(".") for part in page.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_the_page_of_variables_is_what_the_command_prints() -> None:
    qwasr = Path(sys.executable).with_name("qwasr")
    printed = subprocess.run([qwasr, "env", "--markdown"], capture_output=True, text=True, check=True, env={}).stdout
    assert (ROOT / "docs" / "variables.md").read_text() == printed, "run `make docs`"


def test_every_number_that_can_be_set_has_a_least_and_a_greatest_value() -> None:
    numbers = [one for one in all_variables(Registry(environ={})) if one.kind in ("int", "float")]
    assert len(numbers) > 50
    assert [one.name for one in numbers if one.minimum is None or one.maximum is None] == []


def anchors(page: Path) -> set[str]:
    """What a page's headings can be linked by."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_the_readmes_of_packages_are_among_the_pages() -> None:
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "docs/limits.md", "interfaces/sql/README.md", "tests/hostile/README.md"} <= names
