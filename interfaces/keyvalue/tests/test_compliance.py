"""The compliance class catches what it is there for: for each rule a backend that breaks it, and nothing needs more."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interfaces.keyvalue.tests import wrong_atomics, wrong_rest, wrong_store
from interfaces.keyvalue.tests.wrong import Backend, WrongBucket
from qwasr_keyvalue import KeyValueError, Memory
from qwasr_keyvalue.compliance import KeyValueCompliance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RULES = sorted(name for name in dir(KeyValueCompliance) if name.startswith("test_"))
WRONG_BUCKETS = [
    member
    for module in (wrong_store, wrong_atomics, wrong_rest)
    for member in vars(module).values()
    if isinstance(member, type) and issubclass(member, WrongBucket) and member is not WrongBucket
]
WRONG = [(bucket, rule) for bucket in WRONG_BUCKETS for rule in bucket.breaks]


async def follow(rule: str, backend: Memory) -> None:
    """Run a rule against a backend, as pytest would."""
    method = getattr(KeyValueCompliance(), rule)
    if "value" in inspect.signature(method).parameters:
        await method(backend, b"text")
    else:
        await method(backend)


def rename_for(bucket: type[WrongBucket]) -> Callable[[str], str]:
    return (lambda _: "all") if bucket is wrong_store.JoinedNames else str


@pytest.mark.parametrize(("bucket", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(bucket: type[WrongBucket], rule: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyValueError, ValueError, IndexError)):
        await follow(rule, Backend(bucket, rename_for(bucket)))


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_backends_are_right_but_for_one_thing(rule: str) -> None:
    await follow(rule, Backend(WrongBucket))


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_keyvalue.compliance import KeyValueCompliance\nclass TestMine(KeyValueCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
