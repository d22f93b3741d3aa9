"""One queue of the broker in memory: what waits, what is out, and who waits for it. Nothing here suspends.

A message is in one of four places. `_ready`: it can be taken. `_later`: a heap of what can be taken at a certain time:
delayed, to come again, or out until its lease is over. In the heap of its lane: a message with the same key is before
it. Nowhere: it is gone. Messages move often, and old notes of where they were stay behind; `Entry.turn` tells them.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from qwasr_messaging._bounds import held_bytes
from qwasr_messaging.protocol import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_messaging.memory import Memory
    from qwasr_messaging.protocol import Message, Policy

__all__ = ["Entry", "Queue"]

_ENTRY_BYTES: Final = 1000  # what Python keeps beside a message's data and texts, rounded up
_FEW_NOTES: Final = 64  # below that, old notes are not worth a pass


class Entry:
    """One message in one queue.

    `out` is the number of the delivery that it is out by, 0 while it is not out. `attempts` counts those that count.
    """

    __slots__ = (
        "attempts",
        "deliveries",
        "expires_s",
        "id",
        "lane",
        "message",
        "out",
        "reply_to",
        "size",
        "topic",
        "turn",
    )

    def __init__(self, number: int, topic: str, message: Message, expires_s: float, reply_to: str | None) -> None:
        self.id = number
        self.topic = topic
        self.message = message
        self.expires_s = expires_s
        self.reply_to = reply_to
        self.attempts = 0
        self.deliveries = 0
        self.out = 0
        self.turn = 0
        key = message.get(KEY)
        self.lane = None if key is None else (topic, key)
        self.size = _ENTRY_BYTES + 4 * len(topic) + held_bytes(message.data, message.content_type, message.metadata)


class _Lane:
    """The messages of one topic with one key that may be delivered by now: one goes, the others wait."""

    __slots__ = ("active", "gone", "waiting")

    def __init__(self, active: Entry) -> None:
        self.active = active
        self.gone = 0  # about how many of those that wait are gone
        self.waiting: list[tuple[int, Entry]] = []


class Queue:
    """The messages for one group, or of one work queue.

    Args:
        broker: whose it is.
        policy: how its messages are delivered; `None` as often as it takes.
        name: the work queue's name.

    Attributes:
        users: how many calls hold it while they wait.
    """

    def __init__(self, broker: Memory, policy: Policy | None = None, name: str | None = None) -> None:
        self.policy = policy
        self.name = name
        self.users = 0
        self.entries: dict[int, Entry] = {}
        self._broker = broker
        self._ready: deque[tuple[Entry, int]] = deque()
        self._later: list[tuple[float, int, int, Entry]] = []  # when, the message's number, its turn, the message
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._expiries: list[tuple[float, int]] = []  # a heap of when which message expires, of some that are gone too
        self._receivers: dict[asyncio.Future[None], None] = {}
        self._undo_timer: Callable[[], None] | None = None
        self._timer_s = math.inf

    def put(self, entry: Entry, now_s: float, delay_s: float = 0.0) -> None:
        """Add a message."""
        self._ripen(now_s)
        self.entries[entry.id] = entry
        self._note_expiry(entry)
        if delay_s > 0:
            self._note(entry, now_s + delay_s)
        else:
            self._enter(entry)

    def take(self, now_s: float, lease_s: float) -> Entry | None:
        """Have the next message out, if there is one."""
        self.drop_expired(now_s)
        while self._ready:
            entry, turn = self._ready.popleft()
            if entry.turn != turn:
                continue
            if self.policy is not None and entry.attempts >= self.policy.max_deliveries:
                self._broker.bury(self, entry, now_s)
                continue
            entry.attempts += 1
            entry.deliveries += 1
            entry.out = entry.deliveries
            self._note(entry, now_s + lease_s)
            return entry
        return None

    def finish(self, entry: Entry, now_s: float) -> None:
        """Have a message gone."""
        entry.turn += 1  # its own notes count no more
        self._ripen(now_s)
        self._remove(entry)

    def again(self, entry: Entry, now_s: float, delay_s: float) -> None:
        """Have a message that is out come again."""
        entry.out = 0
        self._note_expiry(entry)
        self._note(entry, now_s + delay_s)
        self._ripen(now_s)

    def release(self, entry: Entry) -> None:
        """Have a message that is out as if it had not been taken."""
        entry.out = 0
        entry.attempts -= 1
        entry.turn += 1
        self._note_expiry(entry)
        self._offer(entry)

    def extend(self, entry: Entry, until_s: float) -> None:
        """Have a message out for longer."""
        self._note(entry, until_s)

    def drop_expired(self, now_s: float) -> None:
        """Remove what nobody can get any more."""
        self._ripen(now_s)
        while self._expiries and self._expiries[0][0] <= now_s:
            entry = self.entries.get(heapq.heappop(self._expiries)[1])
            if entry is not None and not entry.out:  # one that is out is dropped when it comes back
                self.finish(entry, now_s)

    def oldest(self) -> Entry | None:
        """Return the message that is there for the longest time."""
        return next(iter(self.entries.values()), None)

    # ------------------------------------------------------------------ who waits

    def wait(self) -> asyncio.Future[None]:
        """Return what is done as soon as there may be a message."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._receivers[future] = None
        self._arm()
        return future

    def waited(self, future: asyncio.Future[None], *, pass_on: bool) -> None:
        """Wait no more.

        Args:
            future: what `wait` returned.
            pass_on: whether somebody else is to look, since this one was told of a message and does not take it.
        """
        if future in self._receivers:
            del self._receivers[future]
        elif pass_on:
            self._wake()
        if not self._receivers:
            self.disarm()

    def disarm(self) -> None:
        """Have no timer."""
        undo, self._undo_timer = self._undo_timer, None
        self._timer_s = math.inf
        if undo is not None:
            undo()

    def _wake(self) -> None:
        while self._receivers:
            future = next(iter(self._receivers))
            del self._receivers[future]
            if not future.done():
                future.set_result(None)
                return

    def _arm(self) -> None:
        """Have a timer for the next message that is ready later, while somebody waits."""
        if self._receivers and self._later and self._later[0][0] < self._timer_s:
            self.disarm()
            self._timer_s = self._later[0][0]
            self._undo_timer = self._broker.call_at(self._timer_s, self._on_time)

    def _on_time(self) -> None:
        self.disarm()
        self._ripen(self._broker.clock())
        self._arm()

    # ------------------------------------------------------------------ where a message is

    def _offer(self, entry: Entry) -> None:
        self._ready.append((entry, entry.turn))
        self._wake()

    def _enter(self, entry: Entry) -> None:
        """Have a message ready, or wait in its lane."""
        if entry.lane is None:
            self._offer(entry)
        elif (lane := self._lanes.get(entry.lane)) is None:
            self._lanes[entry.lane] = _Lane(entry)
            self._offer(entry)
        else:
            heapq.heappush(lane.waiting, (entry.id, entry))

    def _leave(self, entry: Entry, key: tuple[str, str]) -> None:
        """Have the next message of a lane ready, if it was this one's turn."""
        lane = self._lanes.get(key)
        if lane is None:
            return
        if lane.active is not entry:
            lane.gone += 1
            if 2 * lane.gone > len(lane.waiting):
                lane.waiting = [note for note in lane.waiting if note[0] in self.entries]
                heapq.heapify(lane.waiting)
                lane.gone = 0
            return
        while lane.waiting:
            _, following = heapq.heappop(lane.waiting)
            if following.id in self.entries:
                lane.active = following
                self._offer(following)
                return
        del self._lanes[key]

    def _remove(self, entry: Entry) -> None:
        """Have a message gone, when those whose time has come are in their lanes."""
        del self.entries[entry.id]
        entry.out = 0
        self._broker.release(entry.size)
        if len(self._ready) > 2 * len(self.entries) + _FEW_NOTES:
            self._ready = deque(note for note in self._ready if note[0].turn == note[1])
        if entry.lane is not None:
            self._leave(entry, entry.lane)
        if self.name is not None and not self.entries:
            self._broker.forget_idle(self)

    def _note(self, entry: Entry, when_s: float) -> None:
        entry.turn += 1
        heapq.heappush(self._later, (when_s, entry.id, entry.turn, entry))
        if len(self._later) > 2 * len(self.entries) + _FEW_NOTES:
            self._later = [note for note in self._later if note[3].turn == note[2]]
            heapq.heapify(self._later)
        self._arm()

    def _note_expiry(self, entry: Entry) -> None:
        if entry.expires_s == math.inf:
            return
        heapq.heappush(self._expiries, (entry.expires_s, entry.id))
        if len(self._expiries) > 2 * len(self.entries) + _FEW_NOTES:
            self._expiries = [note for note in self._expiries if note[1] in self.entries]
            heapq.heapify(self._expiries)

    def _ripen(self, now_s: float) -> None:
        """Have ready what was to be so by now."""
        expired = []  # gone at the end: who follows one in its lane may be among those that ripen
        while self._later and self._later[0][0] <= now_s:
            _, _, turn, entry = heapq.heappop(self._later)
            if entry.turn != turn:
                continue
            entry.turn += 1
            if entry.attempts and entry.expires_s <= now_s:
                expired.append(entry)
            elif entry.attempts:  # it comes again; in its lane it is the one that goes
                self._offer(entry)
            else:
                self._enter(entry)
        for entry in expired:
            self._remove(entry)
