from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_the_page_of_variables_is_what_the_command_prints() -> None:
    qwasr = Path(sys.executable).with_name("qwasr")
    printed = subprocess.run([qwasr, "env", "--markdown"], capture_output=True, text=True, check=True, env={}).stdout
    assert (ROOT / "docs" / "variables.md").read_text() == printed, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
