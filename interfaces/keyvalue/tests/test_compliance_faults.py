"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from qwasr_keyvalue import Memory, Unavailable
from qwasr_keyvalue.compliance.faults import FaultRules, KeyValueFaultCompliance

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Rules(FaultRules):
    lasting = True
    fails_in_s = 0.2
    back_in_s = 0.3


class Remote(Memory):
    """Memory behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    patience_s = 0.05
    says = "the service is unavailable"

    def __init__(self) -> None:
        super().__init__()
        self.running = self.moving = True

    def kill(self) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True

    def pause(self) -> None:
        self.moving = False

    def resume(self) -> None:
        self.moving = True

    async def open_bucket(self, identifier: str) -> Any:
        return RemoteBucket(self, await super().open_bucket(identifier))

    async def answer(self, call: Any, name: str) -> Any:
        if self.running and not self.moving:
            await asyncio.sleep(self.patience_s)
        if self.running and self.moving:
            return await call
        call.close()
        raise Unavailable(self.says)


class RemoteBucket:
    def __init__(self, remote: Remote, entries: Any) -> None:
        self._remote = remote
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: self._remote.answer(getattr(self._entries, name)(*arguments, **named), name)


class Patient(Remote):
    breaks = ("test_every_call_to_a_service_that_stands_still_fails_in_time",)
    patience_s = 0.6


class SaysNothing(Remote):
    breaks = (
        "test_every_call_to_a_killed_service_fails_in_time",
        "test_every_call_to_a_service_that_stands_still_fails_in_time",
    )
    says = "no"


class NeverBack(Remote):
    breaks = ("test_a_service_that_was_started_again_is_used_again", "test_a_service_that_goes_on_is_used_again")
    seen_away = False

    async def answer(self, call: Any, name: str) -> Any:
        self.seen_away = self.seen_away or not (self.running and self.moving)
        if self.seen_away:
            call.close()
            raise Unavailable(self.says)
        return await call


class CountsTwice(Remote):
    breaks = ("test_no_count_is_lost_or_made_twice_while_the_service_stands_still",)

    async def answer(self, call: Any, name: str) -> Any:
        if name == "increment" and self.moving:
            await (await Memory.open_bucket(self, self.bucket)).increment("counter", 1)
        return await super().answer(call, name)

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
