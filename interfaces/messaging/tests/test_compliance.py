"""The compliance class catches what it is there for: for each rule a backend that breaks it, and nothing needs more."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interfaces.messaging.tests import wrong_deliveries, wrong_rest, wrong_topics
from interfaces.messaging.tests.wrong import Wrong
from qwasr_messaging import MessagingError
from qwasr_messaging.compliance import (
    MessagingCompliance,
    _help,
    deliveries,
    groups,
    queues,
    released,
    requests,
    topics,
)

if TYPE_CHECKING:
    from pathlib import Path

RULES = sorted(name for name in dir(MessagingCompliance) if name.startswith("test_"))
WRONG_BROKERS = [
    member
    for module in (wrong_topics, wrong_deliveries, wrong_rest)
    for member in vars(module).values()
    if isinstance(member, type) and issubclass(member, Wrong) and member.breaks
]
WRONG = [(broker, rule) for broker in WRONG_BROKERS for rule in broker.breaks]
CAUGHT = (AssertionError, pytest.fail.Exception, MessagingError, TimeoutError)


class Rules(MessagingCompliance):
    unit_s = 0.05
    bound = 100


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for what never comes."""
    for module in (_help, topics, groups, deliveries, released, requests, queues):
        monkeypatch.setattr(module, "LONG_S", 0.6, raising=False)


@pytest.mark.parametrize(("broker", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
@pytest.mark.usefixtures("impatient")
async def test_a_wrong_backend_is_caught(broker: type[Wrong], rule: str) -> None:
    with pytest.raises(CAUGHT):
        await getattr(Rules(), rule)(broker())


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_backends_are_right_but_for_one_thing(rule: str) -> None:
    await getattr(Rules(), rule)(Wrong())


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_messaging.compliance import MessagingCompliance\nclass TestMine(MessagingCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
