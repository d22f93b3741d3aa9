"""The compliance classes catch what they are there for: for each rule a backend that breaks it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.vault.tests.wrong import WRONG_LOCKERS, Wrong, WrongLocker
from interfaces.vault.tests.wrong_reading import SECRETS, WRONG_READERS, ReadOnly
from qwasr_vault import VaultError
from qwasr_vault.compliance import ReadOnlyVaultCompliance, VaultCompliance

if TYPE_CHECKING:
    from pathlib import Path

RULES = sorted(name for name in dir(VaultCompliance) if name.startswith("test_"))
READING_RULES = sorted(name for name in dir(ReadOnlyVaultCompliance) if name.startswith("test_"))
WRONG = [(locker, rule) for locker in WRONG_LOCKERS for rule in locker.breaks]
WRONG_READING = [(vault, rule) for vault in WRONG_READERS for rule in vault.breaks]


async def follow(rules: type[Any], rule: str, backend: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Run a rule against a backend, as pytest would."""
    method = getattr(rules(), rule)
    fixtures = {"backend": backend, "another": backend, "caplog": caplog, "secrets": SECRETS}
    await method(**{name: fixtures[name] for name in inspect.signature(method).parameters})


def shown(part: Any) -> str:
    return part if isinstance(part, str) else str(part.__name__)


@pytest.mark.parametrize(("locker", "rule"), WRONG, ids=shown)
async def test_a_wrong_backend_is_caught(
    locker: type[WrongLocker], rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises((AssertionError, VaultError, KeyError, IndexError)):
        await follow(VaultCompliance, rule, Wrong(locker), caplog)


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_backends_are_right_but_for_one_thing(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    await follow(VaultCompliance, rule, Wrong(WrongLocker), caplog)


@pytest.mark.parametrize(("vault", "rule"), WRONG_READING, ids=shown)
async def test_a_wrong_backend_that_only_reads_is_caught(
    vault: type[ReadOnly], rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await follow(ReadOnlyVaultCompliance, rule, vault(), caplog)


@pytest.mark.parametrize("rule", READING_RULES)
async def test_the_wrong_readers_are_right_but_for_one_thing(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    await follow(ReadOnlyVaultCompliance, rule, ReadOnly(), caplog)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES
    assert sorted({rule for _, rule in WRONG_READING}) == READING_RULES


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_vault.compliance import VaultCompliance\nclass TestMine(VaultCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
