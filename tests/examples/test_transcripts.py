"""The tests of transcripts see what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.transcripts import Step, replay, transcripts


def test_a_page_s_terminals_are_read_step_by_step(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        "# a\n\n```console\n$ one\n$ two -d x\nline 1\n\nline 3\n```\n\n```text\n$ no\n```\n\n```console\n$ b\n```\n"
    )
    assert transcripts(page) == [[Step("one", ""), Step("two -d x", "line 1\n\nline 3")], [Step("b", "")]]


async def test_a_command_that_prints_something_else_is_seen() -> None:
    await replay([Step("echo 127.0.0.1:8080", "host:1")], "host:1")
    with pytest.raises(AssertionError, match="echo a"):
        await replay([Step("echo a", "b")], "host:1", patience_s=0)


async def test_a_command_that_fails_is_seen() -> None:
    with pytest.raises(AssertionError, match="exit 3"):
        await replay([Step("exit 3", "")], "host:1")


async def test_a_command_that_only_asks_may_be_answered_later(tmp_path: Path) -> None:
    await replay([Step(f"echo x >> {tmp_path}/asked; wc -l < {tmp_path}/asked", "2")], "host:1")


async def test_a_command_that_changes_something_is_typed_once(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        await replay([Step(f"echo x >> {tmp_path}/asked; echo curl -d x; exit 0", "y")], "host:1")
    assert (tmp_path / "asked").read_text() == "x\n"
