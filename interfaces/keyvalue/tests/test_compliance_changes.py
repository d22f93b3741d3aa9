"""The rules about changes catch what they are there for: for each a backend that breaks it, and one that is right."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from interfaces.keyvalue.tests.wrong import WrongBucket
from qwasr_keyvalue import Change, Memory
from qwasr_keyvalue._watched import WatchedBucket
from qwasr_keyvalue.compliance import changes
from qwasr_keyvalue.compliance.changes import ChangesRules, KeyValueChangesCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RULES = sorted(name for name in dir(ChangesRules) if name.startswith("test_"))


class Hub:
    """A service that tells of changes."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.members: list[Remote] = []

    def tell(self, change: Change, by: Remote) -> None:
        for group in {group for member in self.members for group in member.groups}:
            if not by.leaves_out(group, by, self):
                listening = [member for member in self.members if group in member.groups]
                for member in listening if by.to_all else listening[:1]:
                    member.groups[group].put_nowait(change)


class Remote:
    """A connection to the service; a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()
    to_all: ClassVar[bool] = False

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.groups: dict[str, asyncio.Queue[Change | None]] = {}
        hub.members.append(self)

    async def open_bucket(self, identifier: str) -> Any:
        return WatchedBucket(await self.hub.memory.open_bucket(identifier), identifier, self.changed)

    def changed(self, bucket: str, key: str, value: bytes | None) -> None:
        self.hub.tell(Change(bucket, key, deleted=value is None), self)

    def leaves_out(self, group: str, by: Remote, _hub: Hub) -> bool:
        return group in by.groups

    async def changes(self, group: str) -> AsyncIterator[Change]:
        queue = self.groups[group] = asyncio.Queue()
        try:
            while (change := await queue.get()) is not None:
                yield change
        finally:
            del self.groups[group]

    async def cut(self) -> None: ...

    async def close(self) -> None:
        for queue in self.groups.values():
            queue.put_nowait(None)


class HearsNoDeletes(Remote):
    breaks = ("test_what_somebody_else_sets_and_deletes_is_heard",)

    def changed(self, bucket: str, key: str, value: bytes | None) -> None:
        super().changed(bucket, key, value or b"")


class HearsItself(Remote):
    breaks = (
        "test_what_is_changed_through_the_same_backend_is_not_heard",
        "test_what_another_of_the_group_changes_is_not_heard",
        "test_what_fails_hides_nothing",
        "test_another_group_hears_of_it",
    )

    def leaves_out(self, group: str, by: Remote, _hub: Hub) -> bool:
        return False


class HearsTheGroup(Remote):
    breaks = ("test_what_another_of_the_group_changes_is_not_heard",)

    def leaves_out(self, group: str, by: Remote, hub: Hub) -> bool:
        return [member for member in hub.members if group in member.groups] == [by]


class AllHear(Remote):
    breaks = ("test_each_change_is_heard_by_one_of_the_group",)
    to_all = True


class HearsNobodyWhoListens(Remote):
    breaks = ("test_another_group_hears_of_it",)

    def leaves_out(self, group: str, by: Remote, _hub: Hub) -> bool:
        return bool(by.groups)


class ExpectsWhatFails(Remote):
    """Leaves the next change of a key out when its own one failed."""

    breaks = ("test_what_fails_hides_nothing",)
    expected: ClassVar[set[tuple[str, str]]] = set()

    async def open_bucket(self, identifier: str) -> Any:
        right = await super().open_bucket(identifier)

        class Expecting(WrongBucket):
            async def delete(self, key: str) -> bool:
                there: bool = await right.delete(key)
                if not there:
                    ExpectsWhatFails.expected.add((identifier, key))
                return there

        return Expecting(right, identifier)

    def changed(self, bucket: str, key: str, value: bytes | None) -> None:
        if (bucket, key) in self.expected:
            self.expected.discard((bucket, key))
        else:
            super().changed(bucket, key, value)


class DeafAfterACut(Remote):
    breaks = ("test_listening_goes_on_when_the_connection_was_lost",)

    async def cut(self) -> None:
        self.hub.members.remove(self)


class KeepsTheLease(Remote):
    breaks = ("test_another_of_the_group_goes_on_when_one_has_ended",)

    async def changes(self, group: str) -> AsyncIterator[Change]:
        queue = self.groups[group] = asyncio.Queue()
        while (change := await queue.get()) is not None:
            yield change


class NeverEnds(Remote):
    breaks = ("test_listening_ends_when_the_backend_is_closed",)

    async def close(self) -> None: ...


REMOTES = (
    HearsNoDeletes,
    HearsItself,
    HearsTheGroup,
    AllHear,
    HearsNobodyWhoListens,
    ExpectsWhatFails,
    DeafAfterACut,
    KeepsTheLease,
    NeverEnds,
)
WRONG = [(cls, rule) for cls in REMOTES for rule in cls.breaks]


async def follow(rule: str, remote: type[Remote]) -> None:
    hub = Hub()
    backends = [remote(hub) for _ in range(3)]
    method = getattr(ChangesRules(), rule)
    if "cut" in inspect.signature(method).parameters:
        await method(backends, backends[0].cut)
    else:
        await method(backends)


@pytest.mark.parametrize("rule", RULES)
async def test_a_right_backend_keeps_the_rule(rule: str) -> None:
    await follow(rule, Remote)


@pytest.mark.parametrize(("remote", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(remote: type[Remote], rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_WAIT_S", 0.5)
    with pytest.raises((AssertionError, TimeoutError)):
        await follow(rule, remote)


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_has_every_rule() -> None:
    assert set(RULES) <= set(dir(KeyValueChangesCompliance))
