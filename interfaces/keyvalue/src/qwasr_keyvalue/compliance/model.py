"""A store against a model of one: operations in any order, as hypothesis thinks of them.

::

    from qwasr_keyvalue.compliance.model import Clock, KeyValueModelCompliance

    class TestMyBackendAgainstTheModel(KeyValueModelCompliance):
        moves_time = True                             # the backend reads its time from the fixture `clock`

        @pytest.fixture
        async def backend(self, tmp_path, clock):
            backend = await MyBackend.connect(MyOptions(path=tmp_path / "store"), clock=clock)
            yield backend
            await backend.close()

After each step every entry has to be as the model has it, however it is read. A backend whose time belongs to its
service leaves `moves_time` as it is: then nothing expires that was not told to at once. It needs hypothesis besides
what `qwasr_keyvalue.compliance` needs; `qwasr-keyvalue[testing]` has all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from qwasr_keyvalue.compliance._machine import Clock, StoreMachine

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["Clock", "KeyValueModelCompliance"]


class KeyValueModelCompliance:
    """A comparison with the model; a subclass overrides the fixture `backend`.

    Attributes:
        moves_time: whether the backend reads its time from the fixture `clock`, so that it can be moved.
        has_revisions: whether a swap tells a value that was set again from one that was not touched.
        examples: how many series of operations are tried.
        steps: how many operations each has at most.
        shrinks: whether a series that fails is made shorter before it is shown.
    """

    pytestmark = pytest.mark.asyncio
    moves_time: ClassVar[bool] = False
    has_revisions: ClassVar[bool] = False
    examples: ClassVar[int] = 20
    steps: ClassVar[int] = 25
    shrinks: ClassVar[bool] = True

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the backend's time, in seconds; it stands still until the comparison moves it."""
        return Clock()

    @pytest.fixture
    def backend(self) -> KeyValue:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see {__name__}"
        raise TypeError(msg)

    async def test_it_does_what_its_model_does(self, backend: KeyValue, clock: Clock) -> None:
        loop = asyncio.get_running_loop()

        class Machine(StoreMachine):
            def __init__(machine) -> None:  # noqa: N805 - `self` is the comparison
                time = clock if self.moves_time else None
                super().__init__(backend, loop, time, has_revisions=self.has_revisions)

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
