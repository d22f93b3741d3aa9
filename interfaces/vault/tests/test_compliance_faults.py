"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_vault import Memory, Unavailable
from qwasr_vault.compliance.faults import FaultRules, VaultFaultCompliance

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Rules(FaultRules):
    fails_in_s = 0.2
    back_in_s = 0.3


class Remote(FakeService, Memory):
    """Memory behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    unavailable = Unavailable

    async def open_locker(self, identifier: str) -> Any:
        return RemoteLocker(self, await super().open_locker(identifier))


class RemoteLocker:
    def __init__(self, remote: Remote, secrets: Any) -> None:
        self._remote = remote
        self._secrets = secrets

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._remote.answer(self._secrets, name, *arguments)


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
    comes_back = False


class Forgets(Remote):
    breaks = ("test_no_acknowledged_secret_is_lost_when_the_service_is_killed",)

    def start(self) -> None:
        self._lockers.clear()
        super().start()


WRONG = [(cls, rule) for cls in (Patient, SaysNothing, NeverBack, Forgets) for rule in cls.breaks]


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
    assert set(RULES) <= set(dir(VaultFaultCompliance))
