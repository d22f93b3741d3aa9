"""The embedded brokers against the model, which catches what it is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from interfaces.messaging.tests import wrong_deliveries, wrong_rest, wrong_topics
from interfaces.messaging.tests.wrong import Wrong
from qwasr.sqlite import _threads
from qwasr_messaging import Memory, Message, MessagingError, Sqlite, SqliteOptions
from qwasr_messaging.compliance.model import Clock, MessagingModelCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from qwasr_messaging import Messaging


class TestMemoryAgainstTheModel(MessagingModelCompliance):
    moves_time = True
    examples = 100
    steps = 50

    @pytest.fixture
    async def backend(self, clock: Clock) -> AsyncIterator[Memory]:
        broker = Memory(clock=clock)
        yield broker
        assert broker.used_bytes == 0
        assert not any(group.queue._lanes for group in broker._groups.values())


class TestSqliteAgainstTheModel(MessagingModelCompliance):
    """A file; what has expired is removed with every write."""

    moves_time = True
    examples = 20

    @pytest.fixture
    async def backend(self, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sqlite]:
        monkeypatch.setattr(_threads, "_SWEEP_S", 0.0)
        options = SqliteOptions(url=f"sqlite:///{tmp_path}/broker.db", forget_s=3e8)
        broker = await Sqlite.connect(options, clock=clock)
        yield broker
        await broker.close()


class TestABrokerWhoseTimeIsItsOwnAgainstTheModel(MessagingModelCompliance):
    @pytest.fixture
    def backend(self) -> Messaging:
        return Memory()


class TwoReplies(Wrong):
    async def reply(self, reply_to: str, message: Message) -> None:
        await super().reply(reply_to, message)
        await super().reply(reply_to, message)


CAUGHT = [
    TwoReplies,
    wrong_topics.OldPatternsStay,
    wrong_deliveries.NeverDead,
    wrong_deliveries.ForgetsAcks,
    wrong_deliveries.LosesRetries,
    wrong_deliveries.AcksAlways,
    wrong_deliveries.ReleasesCount,
    wrong_deliveries.NoDelay,
    wrong_deliveries.LivesForEver,
    wrong_deliveries.NoKeys,
    wrong_rest.CountsWaiting,
    wrong_rest.AcksNothing,
]


class Comparison(MessagingModelCompliance):
    moves_time = True
    examples = 1000  # it ends with the first series that fails
    shrinks = False


@pytest.fixture
def the_same_each_time() -> Iterator[None]:
    settings.register_profile("the same each time", derandomize=True, database=None)
    before = settings.get_current_profile_name()
    settings.load_profile("the same each time")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("the_same_each_time")
@pytest.mark.parametrize("broker", CAUGHT)
async def test_the_model_catches_a_wrong_backend(broker: type[Wrong]) -> None:
    clock, made = Clock(), broker()
    made.clock = clock
    with pytest.raises((AssertionError, MessagingError, ExceptionGroup)):
        await Comparison().test_it_does_what_its_model_does(made, clock)


async def test_the_wrong_backends_are_right_but_for_one_thing() -> None:
    clock, made = Clock(), Wrong()
    made.clock = clock

    class Shorter(Comparison):
        examples = 50

    await Shorter().test_it_does_what_its_model_does(made, clock)
