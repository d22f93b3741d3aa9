"""The page about tests shows what is run here."""

from __future__ import annotations

import re

from tools.guests import ROOT


def test_the_page_shows_tests_that_are_run() -> None:
    text = (ROOT / "docs" / "testing-guests.md").read_text()
    run = [path.read_text() for path in (ROOT / "tests" / "kit").glob("test_*.py")]
    shown = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert shown
    for block in shown:
        assert any(block in file for file in run), f"the page shows what no test runs:\n{block}"
