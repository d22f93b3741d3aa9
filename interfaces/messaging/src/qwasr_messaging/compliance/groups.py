"""Rules for groups: their names, their policy, and what a subscriber may do that receives no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr_messaging.compliance._help import LONG_S, Unit, fresh_name, get, nothing, taken, text
from qwasr_messaging.errors import InvalidTopic
from qwasr_messaging.protocol import Policy

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging

__all__ = ["GroupRules"]

_ENDS = ("", " ", "A", "a", ".", "*", ">", "/", "%2F", "\n", "\x00", "é", "e\u0301", "🗝", "'\"", "x" * 231)
_NO_GROUPS = ("", "x" * 256, "é" * 128, "\ud800")


class GroupRules(Unit):
    """What holds for groups of subscribers."""

    async def test_any_text_of_up_to_255_bytes_names_a_group_of_its_own(self, backend: Messaging) -> None:
        topic, name = fresh_name(), fresh_name()[-24:]
        groups = [await backend.subscribe(f"{name}{end}", [topic], Policy()) for end in _ENDS]
        await backend.publish(topic, text("x"))
        for subscription in groups:
            assert await taken(subscription, 1) == [b"x"]
            await nothing(subscription, 0)

    async def test_a_name_that_no_group_can_have_is_refused(self, backend: Messaging) -> None:
        for name in _NO_GROUPS:
            with pytest.raises(InvalidTopic):
                await backend.subscribe(name, [fresh_name()], Policy())

    async def test_a_new_policy_is_for_the_whole_group(self, backend: Messaging) -> None:
        topic, group = fresh_name(), fresh_name()
        first = await backend.subscribe(group, [topic], self.policy(most=5))
        await backend.subscribe(group, [topic], self.policy(most=1))
        await backend.publish(topic, text("x"))
        await (await get(first)).retry("reason")
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None, "there is no dead letter"

    async def test_what_was_received_may_be_acknowledged_after_the_subscription_is_closed(
        self, backend: Messaging
    ) -> None:
        topic, group = fresh_name(), fresh_name()
        policy = self.policy(first=0)
        closed = await backend.subscribe(group, [topic], policy)
        for number in range(2):
            await backend.publish(topic, text(str(number)))
        acknowledged, again = await get(closed), await get(closed)
        await closed.close()
        assert await acknowledged.extend() is True
        assert await acknowledged.ack() is True
        await again.retry("once more")
        assert await taken(await backend.subscribe(group, [topic], policy), 1) == [again.message.data]
