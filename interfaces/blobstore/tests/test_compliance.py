"""The compliance class catches what it is there for: for each rule a store that breaks it, and nothing needs more."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.blobstore.tests import wrong_containers, wrong_moving, wrong_names, wrong_objects, wrong_room
from interfaces.blobstore.tests.wrong import WrongStore, WrongWriter
from qwasr_blobstore import BlobstoreError, MemoryOptions
from qwasr_blobstore.compliance import BlobstoreCompliance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = sorted(name for name in dir(BlobstoreCompliance) if name.startswith("test_"))
WRONG_STORES = [
    member
    for module in (wrong_containers, wrong_objects, wrong_names, wrong_moving, wrong_room)
    for member in vars(module).values()
    if isinstance(member, type) and issubclass(member, WrongStore) and member is not WrongStore
]
CRAMPED_BYTES = 4 * 1024 * 1024
WRONG = [(store, rule) for store in WRONG_STORES for rule in store.breaks]


class Rules(BlobstoreCompliance):
    times_in_memory = 1


class WrongRules(Rules):
    room_back_in_s = 0.1  # it never is
    model_examples = 1000  # until one goes wrong
    model_shrinks = False


class RightStore(WrongStore):
    writer = WrongWriter


def parameters(rule: Any) -> Iterator[dict[str, Any]]:
    """Yield the arguments with which pytest would call a rule, besides the backend."""
    for mark in getattr(rule, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            each = [names] if isinstance(names, str) else names
            yield from (dict(zip(each, value if len(each) > 1 else [value], strict=True)) for value in values)
            return
    yield {}


async def follow(name: str, store: type[WrongStore], rules: type[Rules] = Rules) -> None:
    """Run a rule against a store, as pytest would."""
    rule = getattr(rules(), name)
    cramped = "cramped" in inspect.signature(rule).parameters
    for arguments in parameters(rule):
        await rule(store(MemoryOptions(max_bytes=CRAMPED_BYTES)) if cramped else store(), **arguments)


@pytest.mark.parametrize(("store", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_store_is_caught(store: type[WrongStore], rule: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, BlobstoreError, RuntimeError)):
        await follow(rule, store, WrongRules)


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_stores_are_right_but_for_one_thing(rule: str) -> None:
    await follow(rule, RightStore)


def test_each_rule_has_a_store_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_blobstore.compliance import BlobstoreCompliance\nclass TestMine(BlobstoreCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
