"""The rules about faults catch what they are there for: for each a store that breaks it, and one that breaks none."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

import pytest

from qwasr.testing.services import FakeService
from qwasr_blobstore import Memory, Unavailable
from qwasr_blobstore._memory_streams import Bytes, MemoryWriter
from qwasr_blobstore.compliance.faults import BlobstoreFaultCompliance, FaultRules
from qwasr_blobstore.memory import MemoryContainer

RULES = sorted(name for name in dir(FaultRules) if name.startswith("test_"))


class Time:
    """The time by which the rules measure; a store that wastes it does so at once, however slow the machine is."""

    def __init__(self) -> None:
        self.wasted_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.wasted_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr("qwasr.testing.services.time", clock)
    return clock


class Rules(FaultRules):
    lasting = True
    fails_in_s = 30.0
    back_in_s = 30.0


class Remote(FakeService):
    """Memory behind a service that is away now and then; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    unavailable = Unavailable

    def __init__(self) -> None:
        self.memory = Memory()
        self.kills = 0
        self.clock = Time()

    def kill(self) -> None:
        super().kill()
        self.kills += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(There(self, self.memory), name)

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        made = await super().answer(right, name, *arguments, **named)
        await asyncio.sleep(0.001)  # so that others have their turn
        return There(self, made) if isinstance(made, (MemoryContainer, MemoryWriter)) else made


class There:
    """Something that the service has; a writer does not outlive it."""

    def __init__(self, remote: Remote, right: Any) -> None:
        self._remote = remote
        self._right = right
        self._kills = remote.kills

    def __getattr__(self, name: str) -> Any:
        if name in ("name", "abort"):
            return getattr(self._right, name)

        async def call(*arguments: Any) -> Any:
            if name == "commit" and self._kills != self._remote.kills:
                raise Unavailable(self._remote.says)
            return await self._remote.answer(self._right, name, *arguments)

        return call


class Patient(Remote):
    breaks = ("test_every_call_to_a_service_that_stands_still_fails_in_time",)

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        if not self.moving:
            self.clock.wasted_s += 60
        return await super().answer(right, name, *arguments, **named)


class SaysNothing(Remote):
    breaks = (
        "test_every_call_to_a_killed_service_fails_in_time",
        "test_every_call_to_a_service_that_stands_still_fails_in_time",
    )
    says = "no"


class NeverBack(Remote):
    breaks = ("test_a_service_that_was_started_again_is_used_again", "test_a_service_that_goes_on_is_used_again")
    comes_back = False

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        if self._lost:
            self.clock.wasted_s += 10
        return await super().answer(right, name, *arguments, **named)


class ShowsPieces(Remote):
    """What a writer has when the service dies is the object."""

    breaks = ("test_a_write_that_meets_a_killed_service_is_no_object",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Any] = []

    async def answer(self, right: Any, name: str, *arguments: Any, **named: Any) -> Any:
        made = await super().answer(right, name, *arguments, **named)
        if isinstance(made, There) and isinstance(made._right, MemoryWriter):
            self.open.append(made._right)
        return made

    def kill(self) -> None:
        super().kill()
        for writer in self.open:
            if writer._pieces:
                self.memory.put(writer._container, writer._name, Bytes(writer._pieces))
        self.open.clear()


class Forgets(Remote):
    """The last writes that it acknowledged are not there after a kill."""

    breaks = ("test_what_was_acknowledged_is_there_whole_after_a_kill",)

    def kill(self) -> None:
        super().kill()
        for name in self.memory.names():
            for each in list(self.memory.contents(name).objects)[-3:]:
                self.memory.remove(name, [each])


WRONG = [(store, rule) for store in (Patient, SaysNothing, NeverBack, ShowsPieces, Forgets) for rule in store.breaks]


@pytest.mark.parametrize(("store", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_store_is_caught(store: type[Remote], rule: str, clock: Time) -> None:
    remote = store()
    remote.clock = clock
    with pytest.raises((AssertionError, pytest.fail.Exception, Unavailable)):
        await getattr(Rules(), rule)(remote, remote)


def test_each_rule_has_a_store_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


class TestRightRemote(BlobstoreFaultCompliance):
    lasting = True
    fails_in_s = 30.0
    back_in_s = 30.0

    @pytest.fixture
    def service(self) -> Remote:
        return Remote()

    @pytest.fixture
    def backend(self, service: Remote) -> Any:
        return service
