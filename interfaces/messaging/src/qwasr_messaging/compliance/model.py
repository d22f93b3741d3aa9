"""A whole broker against a model of one: operations in any order, as hypothesis thinks of them.

::

    from qwasr_messaging.compliance.model import Clock, MessagingModelCompliance

    class TestMyBackendAgainstTheModel(MessagingModelCompliance):
        moves_time = True                             # the backend reads its time from the fixture `clock`

        @pytest.fixture
        async def backend(self, tmp_path, clock):
            backend = await MyBackend.connect(MyOptions(path=tmp_path / "broker"), clock=clock)
            yield backend
            await backend.close()

Topics, delays, times to live, keys, leases, requests, new subscriptions, work queues and dead letters are mixed; after
each step the backend has to have done what the model did. A backend whose time belongs to its service leaves
`moves_time` as it is: then nothing is waited for, and what is delayed never comes. A queue has to take a hundred
messages. It needs hypothesis besides what `qwasr_messaging.compliance` needs; `qwasr-messaging[testing]` has all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from qwasr_messaging.compliance._machine import BrokerMachine, Clock

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging

__all__ = ["Clock", "MessagingModelCompliance"]


class MessagingModelCompliance:
    """A comparison with the model; a subclass overrides the fixture `backend`.

    Attributes:
        moves_time: whether the backend reads its time from the fixture `clock`, so that it can be moved.
        examples: how many series of operations are tried.
        steps: how many operations each has at most.
        shrinks: whether a series that fails is made shorter before it is shown.
    """

    pytestmark = pytest.mark.asyncio
    moves_time: ClassVar[bool] = False
    examples: ClassVar[int] = 30
    steps: ClassVar[int] = 40
    shrinks: ClassVar[bool] = True

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the backend's time, in seconds; it stands still until the comparison moves it."""
        return Clock()

    @pytest.fixture
    def backend(self) -> Messaging:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_messaging.compliance.model"
        raise TypeError(msg)

    async def test_it_does_what_its_model_does(self, backend: Messaging, clock: Clock) -> None:
        loop = asyncio.get_running_loop()

        class Machine(BrokerMachine):
            def __init__(machine) -> None:  # noqa: N805 - `self` is the comparison
                super().__init__(backend, loop, clock if self.moves_time else None)

        wanted = settings(
            max_examples=self.examples,
            stateful_step_count=self.steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[phase for phase in Phase if self.shrinks or phase is Phase.generate],
            report_multiple_bugs=False,
        )
        # In a thread of its own: hypothesis calls plain functions, and the backend needs the loop meanwhile.
        await asyncio.to_thread(run_state_machine_as_test, Machine, settings=wanted)
