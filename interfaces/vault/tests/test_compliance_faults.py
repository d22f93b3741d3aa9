"""The rules about faults catch what they are there for: for each a backend that breaks it, and one that breaks none."""

from __future__ import annotations

import inspect
import logging
from typing import Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_vault import Memory, Unavailable
from qwasr_vault.compliance.faults import (
    FaultRules,
    ReadOnlyFaultRules,
    ReadOnlyVaultFaultCompliance,
    VaultFaultCompliance,
)

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Rules(FaultRules):
    fails_in_s = 2.0
    back_in_s = 2.0


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
    patience_s = 2.5


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


class Tells(Remote):
    """Says with an error what was asked of it."""

    breaks = ("test_no_secret_is_in_what_is_said_while_the_service_is_away",)

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        try:
            return await super().answer(right, name, *arguments, **named)
        except Unavailable as error:
            raise Unavailable(f"{error}: {name}{arguments}") from None


class Logs(Remote):
    """Writes what it answers to the log."""

    breaks = ("test_no_secret_is_in_what_is_said_while_the_service_is_away",)

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        found = await super().answer(right, name, *arguments, **named)
        logging.getLogger("remote").debug("%s: %r", name, found)
        return found


KEPT = ("locker", "name", b"secret 0123456789")
WRONG = [(cls, rule) for cls in (Patient, SaysNothing, NeverBack, Forgets, Tells, Logs) for rule in cls.breaks]


async def follow(rules: ReadOnlyFaultRules, rule: str, remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    method = getattr(rules, rule)
    more = {"caplog": caplog} if "caplog" in inspect.signature(method).parameters else {}
    await method(remote, remote, KEPT, **more)


@pytest.mark.parametrize("rule", RULES)
async def test_a_right_backend_keeps_the_rule(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    await follow(Rules(), rule, Remote(), caplog)


class TestAServiceThatIsOnlyRead(ReadOnlyVaultFaultCompliance):
    @pytest.fixture
    def secrets(self) -> dict[str, dict[str, bytes]]:
        return {"default": {"a": b"short"}, "billing": {"db-password": b"open sesame, please"}}

    @pytest.fixture
    def service(self, secrets: dict[str, dict[str, bytes]]) -> Remote:
        class ReadOnly(Remote):
            async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
                assert name not in ("set", "delete"), "a rule writes"
                return await super().answer(right, name, *arguments, **named)

        remote = ReadOnly()
        for locker, values in secrets.items():
            remote._lockers[locker] = dict(values)
        return remote

    @pytest.fixture
    def backend(self, service: Remote) -> Remote:
        return service


@pytest.mark.parametrize(("backend", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(backend: type[Remote], rule: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError):
        await follow(Rules(), rule, backend(), caplog)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_has_every_rule() -> None:
    assert set(RULES) <= set(dir(VaultFaultCompliance))
    assert {rule for rule in RULES if "acknowledged" not in rule} <= set(dir(ReadOnlyVaultFaultCompliance))
