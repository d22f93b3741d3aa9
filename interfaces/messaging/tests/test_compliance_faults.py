"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_messaging import Memory, Unavailable
from qwasr_messaging.compliance import MessagingFaultCompliance, _help, faults
from qwasr_messaging.compliance.faults import FaultRules

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))
CALLS = ("publish", "request", "reply", "push", "pop", "ack", "length")


class Rules(FaultRules):
    lasting = True
    unit_s = 0.03
    fails_in_s = 2.0
    back_in_s = 1.0


class Remote(FakeService):
    """Memory behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    unavailable = Unavailable

    def __init__(self) -> None:
        self.memory = Memory()

    def __getattr__(self, name: str) -> Any:
        assert name in CALLS
        return lambda *arguments, **named: self.answer(self.memory, name, *arguments, **named)

    async def subscribe(self, *arguments: Any) -> Any:
        return Part(self, await self.answer(self.memory, "subscribe", *arguments), "receive")

    async def asked(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        return await self.answer(right, name, *arguments, **named)


class Part:
    """A subscription or a delivery of the service."""

    def __init__(self, remote: Remote, right: Any, *calls: str) -> None:
        self._remote = remote
        self._right = right
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name not in self._calls:
            return getattr(self._right, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            found = await self._remote.asked(self._right, name, *arguments, **named)
            return found if name != "receive" or found is None else Part(self._remote, found, *DELIVERY_CALLS)

        return call


DELIVERY_CALLS = ("ack", "retry", "release", "extend")


class Patient(Remote):
    breaks = ("test_every_call_to_a_service_that_stands_still_fails_in_time",)
    patience_s = 2.5


class Deaf(Remote):
    """What is received, or is out, does not notice that the service is away."""

    breaks: ClassVar[tuple[str, ...]] = ("test_every_call_to_a_killed_service_fails_in_time",)
    deaf: ClassVar[str]

    async def asked(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        if name == self.deaf:
            return None if name == "receive" and not self.running else await getattr(right, name)(*arguments, **named)
        return await super().asked(right, name, *arguments, **named)


class DeafAck(Deaf):
    deaf = "ack"


class DeafRetry(Deaf):
    deaf = "retry"


class DeafRelease(Deaf):
    deaf = "release"


class DeafExtend(Deaf):
    deaf = "extend"


class DeafReceive(Deaf):
    deaf = "receive"


class SaysNothing(Remote):
    breaks = ("test_every_call_to_a_killed_service_fails_in_time",)
    says = "no"


class NeverBack(Remote):
    breaks = (
        "test_a_service_that_was_started_again_is_used_again",
        "test_a_service_that_goes_on_is_used_again",
    )
    comes_back = False


class NeverReceivesAgain(Remote):
    breaks = ("test_a_subscription_receives_again_when_the_service_is_back",)

    def pause(self) -> None:
        super().pause()
        for group in self.memory._groups.values():
            group.queue.take = lambda *_: None  # type: ignore[method-assign]


class Forgets(Remote):
    breaks = ("test_no_acknowledged_message_is_lost_when_the_service_is_killed",)

    def start(self) -> None:
        for group in self.memory._groups.values():
            for entry in list(group.queue.entries.values()):
                group.queue.finish(entry, 0)
        super().start()


DEAF = (DeafAck, DeafRetry, DeafRelease, DeafExtend, DeafReceive)
BROKERS = (Patient, *DEAF, SaysNothing, NeverBack, NeverReceivesAgain, Forgets)
WRONG = [(cls, rule) for cls in BROKERS for rule in cls.breaks]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_help, faults):
        monkeypatch.setattr(module, "LONG_S", 0.6, raising=False)


@pytest.mark.parametrize("rule", RULES)
async def test_a_right_backend_keeps_the_rule(rule: str) -> None:
    remote = Remote()
    await getattr(Rules(), rule)(remote, remote)


@pytest.mark.parametrize(("backend", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
@pytest.mark.usefixtures("impatient")
async def test_a_wrong_backend_is_caught(backend: type[Remote], rule: str) -> None:
    remote = backend()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await getattr(Rules(), rule)(remote, remote)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_has_every_rule() -> None:
    assert set(RULES) <= set(dir(MessagingFaultCompliance))
