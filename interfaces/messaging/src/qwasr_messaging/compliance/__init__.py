"""The test class that a messaging backend has to pass.

The whole test of a backend is::

    import pytest
    from qwasr_messaging.compliance import MessagingCompliance

    class TestMyBackend(MessagingCompliance):
        bound = 100                                   # how many messages one queue of this backend takes

        @pytest.fixture
        async def backend(self, tmp_path):
            backend = await MyBackend.connect(MyOptions(path=tmp_path / "broker", queue=100))
            yield backend
            await backend.close()

It needs pytest and pytest-asyncio with `asyncio_mode = "auto"`; in strict mode the fixture is a
`pytest_asyncio.fixture`. Each test is one rule of `qwasr_messaging.protocol` and works with topics, groups and queues
of its own, so a shared service is as good as an empty one. Rules about time are made of `unit_s`, 0.1 s, which a
backend that is slow sets to more. What holds while a service is away is in `qwasr_messaging.compliance.faults`; a whole
backend is compared with a model of one in `qwasr_messaging.compliance.model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

_RULES = (
    "_help",
    "topics",
    "groups",
    "deliveries",
    "released",
    "requests",
    "queues",
    "faults",
    "model",
    "_model_queue",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _RULES))

from qwasr_messaging.compliance.deliveries import DeliveryRules, OrderRules  # noqa: E402 - asserts are rewritten
from qwasr_messaging.compliance.faults import MessagingFaultCompliance  # noqa: E402
from qwasr_messaging.compliance.groups import GroupRules  # noqa: E402
from qwasr_messaging.compliance.queues import BoundRules, QueueRules  # noqa: E402
from qwasr_messaging.compliance.released import CancelledRules, ReleaseRules  # noqa: E402
from qwasr_messaging.compliance.requests import RequestRules  # noqa: E402
from qwasr_messaging.compliance.topics import TopicRules  # noqa: E402

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging

__all__ = ["MessagingCompliance", "MessagingFaultCompliance"]


class MessagingCompliance(
    TopicRules,
    GroupRules,
    DeliveryRules,
    ReleaseRules,
    OrderRules,
    RequestRules,
    QueueRules,
    BoundRules,
    CancelledRules,
):
    """Every rule for a messaging backend; a subclass overrides the fixture `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def backend(self) -> Messaging:
        """Return the connected backend; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_messaging.compliance"
        raise TypeError(msg)
