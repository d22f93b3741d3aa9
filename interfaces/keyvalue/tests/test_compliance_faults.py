"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_keyvalue import Memory, Unavailable
from qwasr_keyvalue.compliance.faults import FaultRules, KeyValueFaultCompliance

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Rules(FaultRules):
    lasting = True
    fails_in_s = 1.0
    back_in_s = 1.0


class Remote(FakeService, Memory):
    """Memory behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    unavailable = Unavailable

    async def open_bucket(self, identifier: str) -> Any:
        return RemoteBucket(self, await super().open_bucket(identifier))


class RemoteBucket:
    def __init__(self, remote: Remote, entries: Any) -> None:
        self._remote = remote
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: self._remote.answer(self._entries, name, *arguments, **named)


class Patient(Remote):
    breaks = ("test_every_call_to_a_service_that_stands_still_fails_in_time",)
    patience_s = 1.5


class SaysNothing(Remote):
    breaks = (
        "test_every_call_to_a_killed_service_fails_in_time",
        "test_every_call_to_a_service_that_stands_still_fails_in_time",
    )
    says = "no"


class NeverBack(Remote):
    breaks = ("test_a_service_that_was_started_again_is_used_again", "test_a_service_that_goes_on_is_used_again")
    comes_back = False


class CountsTwice(Remote):
    breaks = ("test_no_count_is_lost_or_made_twice_while_the_service_stands_still",)

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        if name == "increment" and self.moving:
            await (await Memory.open_bucket(self, self.bucket)).increment("counter", 1)
        return await super().answer(right, name, *arguments, **named)

    async def open_bucket(self, identifier: str) -> Any:
        self.bucket = identifier
        return await super().open_bucket(identifier)


class Forgets(Remote):
    breaks = ("test_no_acknowledged_write_is_lost_when_the_service_is_killed",)

    def start(self) -> None:
        for bucket in list(self._filled.values()):
            bucket.clear()
        super().start()


WRONG = [(cls, rule) for cls in (Patient, SaysNothing, NeverBack, CountsTwice, Forgets) for rule in cls.breaks]


@pytest.mark.parametrize("rule", RULES)
async def test_a_right_backend_keeps_the_rule(rule: str) -> None:
    remote = Remote()
    await getattr(Rules(), rule)(remote, remote)


@pytest.mark.parametrize(("backend", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(backend: type[Remote], rule: str) -> None:
    remote = backend()
    with pytest.raises(AssertionError):
        await getattr(Rules(), rule)(remote, remote)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_has_every_rule() -> None:
    assert set(RULES) <= set(dir(KeyValueFaultCompliance))
