"""Calls guests that export `wasi:messaging/incoming-handler` for each message of the topics in `MESSAGING_TOPICS`.

Each message is one call on a fresh instance. When the handler answers `ok` the message is acknowledged; when it answers
an error, traps or takes too long, the message is delivered again, until it is a dead letter. While a handler runs, its
message is out: the lease is twice the guest's deadline, and renewed. A message whose handler was not begun when the
host stops is released: it comes again, and that delivery does not count.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from qwasr.access import AccessLog
from qwasr.errors import GuestError, Overloaded, ServeError
from qwasr.options import ConnectOptions, env
from qwasr.trace import TraceContext
from qwasr.values import Variant, WitError
from qwasr_messaging._letters import REASON_CHARACTERS
from qwasr_messaging._turns import Turns
from qwasr_messaging.errors import MessagingError
from qwasr_messaging.protocol import Policy
from qwasr_messaging.topics import Patterns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.engine import ExportedFunction
    from qwasr.runtime import Guest
    from qwasr_messaging.protocol import Delivery, Messaging, Subscription

__all__ = ["Handler", "HandlerOptions"]

_logger = logging.getLogger("qwasr.messaging")
_NEXT_TRY_S: Final = 1.0  # after a broker did not answer
_COMPLAIN_S: Final = 10.0  # a broker that is away fills no log


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerOptions(ConnectOptions):
    """Which messages a guest handles, how many at once, and what happens to those that it does not."""

    topics: tuple[str, ...] = env(
        "MESSAGING_TOPICS",
        default=(),
        help="what the guest's incoming-handler gets: topics, or patterns such as orders.* and orders.>",
    )
    group: str = env(
        "MESSAGING_GROUP",
        default="",
        help="subscribers of one name share their messages; empty for the component's name",
    )
    concurrency: int = env(
        "MESSAGING_CONCURRENCY",
        default=16,
        minimum=1,
        maximum=10_000,
        help="messages that a process handles at once at most, of all its brokers",
    )
    max_deliveries: int = env(
        "MESSAGING_MAX_DELIVERIES",
        default=5,
        minimum=1,
        maximum=1_000_000,
        help="how often a message is delivered until it goes to dead-letter.<topic>",
    )
    backoff_s: float = env(
        "MESSAGING_BACKOFF_S",
        default=1.0,
        minimum=0,
        maximum=86_400,
        help="how long a message waits after its first delivery failed, seconds; then twice as long each time",
    )
    max_backoff_s: float = env(
        "MESSAGING_MAX_BACKOFF_S",
        default=60.0,
        minimum=0,
        maximum=86_400,
        help="and never longer than this, seconds",
    )


class _Traced:
    """A message's trace, which what the handler sends belongs to."""

    __slots__ = ("_delivery", "_trace")

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._trace: TraceContext | None = None

    def trace(self) -> TraceContext:
        """Return the trace that the message says it belongs to, or a new one."""
        if self._trace is None:
            metadata = self._delivery.message.metadata
            parents = [value for name, value in metadata if name.lower() == "traceparent"]
            states = [value for name, value in metadata if name.lower() == "tracestate"]
            self._trace = TraceContext.read(parents, states) or TraceContext.new()
        return self._trace


class Handler:
    """Calls `wasi:messaging/incoming-handler` of a guest.

    Args:
        options: what it subscribes to.
    """

    export: ClassVar[str] = "wasi:messaging/incoming-handler"
    Options: ClassVar[type[ConnectOptions]] = HandlerOptions

    def __init__(self, options: HandlerOptions) -> None:
        self._options = options
        self._topics: tuple[str, ...] = options.topics
        self._subscriptions: list[Subscription] = []
        self._receivers: set[asyncio.Task[None]] = set()
        self._leases: set[asyncio.Task[None]] = set()
        self._access = AccessLog()
        self._turns = Turns(options.concurrency)
        self._complained_s = -_COMPLAIN_S

    async def start(self, guest: Guest) -> None:
        """Subscribe, on every broker that the guest can reach.

        Raises:
            ServeError: there is nothing to subscribe to, or a broker does not let it.
        """
        from qwasr_messaging.host import Types

        types = next((host for host in guest.hosts if isinstance(host, Types)), None)
        if types is None:
            raise ServeError(f"{guest.name} exports {self.export} and imports no wasi:messaging/types")
        function = guest.function(self.export, "handle")
        options = self._options
        policy = Policy(
            lease_s=2 * guest.timeout_s,
            max_deliveries=options.max_deliveries,
            first_delay_s=options.backoff_s,
            longest_delay_s=max(options.backoff_s, options.max_backoff_s),
        )
        try:
            await self._subscribe(guest, function, types.backends.each(), policy)
        except BaseException:
            await self.close()
            raise

    async def _subscribe(
        self, guest: Guest, function: ExportedFunction, backends: Sequence[Messaging], policy: Policy
    ) -> None:
        options = self._options
        for backend in backends:
            # A fake broker belongs to one test, which sends what the guest is to handle.
            self._topics = options.topics or getattr(backend, "every_topic", ())
            if not self._topics:
                raise ServeError(
                    f"{guest.name} exports {self.export}: say in MESSAGING_TOPICS what it handles, "
                    "for example MESSAGING_TOPICS=orders.>"
                )
            try:
                Patterns(self._topics)
                subscription = await backend.subscribe(options.group or guest.name, self._topics, policy)
            except MessagingError as error:
                raise ServeError(f"{guest.name} cannot subscribe to {', '.join(self._topics)}: {error}") from None
            self._subscriptions.append(subscription)
            for _ in range(options.concurrency):
                receiving = self._receive_all(guest, function, backend, subscription, policy.lease_s)
                self._receivers.add(asyncio.create_task(receiving))

    async def drain(self, timeout_s: float) -> None:
        """Receive no more, and wait until what is handled is acknowledged."""
        self._turns.begin_no_more()
        try:
            async with asyncio.timeout(timeout_s):
                for subscription in self._subscriptions:
                    await subscription.close()
                if self._receivers:
                    await asyncio.wait(self._receivers)
        except TimeoutError:
            _logger.warning(
                "%d messages were not handled in time: they come again when their lease is over",
                self._turns.running,
            )

    async def close(self) -> None:
        """Stop at once; what is handled now will be delivered again."""
        self._turns.begin_no_more()
        tasks = {*self._receivers, *self._leases}
        self._receivers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.close()

    def describe(self) -> str:
        """Return one line for the user."""
        return f"the topics {', '.join(self._topics)}"

    async def _receive_all(
        self,
        guest: Guest,
        function: ExportedFunction,
        backend: Messaging,
        subscription: Subscription,
        lease_s: float,
    ) -> None:
        """Handle one message after another."""
        while not self._turns.over:
            try:
                delivery = await subscription.receive()
                if delivery is None:  # the subscription is closed
                    return
                await self._handle(guest, function, backend, delivery, lease_s)
            except Exception as error:  # noqa: BLE001 - a client library raises what it likes; the next message comes
                self._complain(error)
                await asyncio.sleep(_NEXT_TRY_S)

    async def _handle(
        self, guest: Guest, function: ExportedFunction, backend: Messaging, delivery: Delivery, lease_s: float
    ) -> None:
        """Call the handler, and acknowledge or not."""
        renewing = asyncio.create_task(self._renew(delivery, lease_s))
        self._leases.add(renewing)
        try:
            if not await self._turns.begin():
                await delivery.release()
                return
            try:
                await self._settle(guest, function, backend, delivery)
            finally:
                self._turns.end()
        finally:
            renewing.cancel()
            self._leases.discard(renewing)

    async def _settle(self, guest: Guest, function: ExportedFunction, backend: Messaging, delivery: Delivery) -> None:
        """Call the handler as soon as the host lets it, and tell the broker what became of the message."""
        while True:
            try:
                reason = await self._call(guest, function, backend, delivery)
                break
            except Overloaded as error:  # no fault of the message, which nobody has seen
                if await self._turns.until_over(min(error.retry_after_s, _NEXT_TRY_S)):
                    await delivery.release()
                    return
        if reason is not None:
            await delivery.retry(reason)
        elif not await delivery.ack():
            _logger.warning("a message of %r was given to another before it was acknowledged", delivery.topic)

    async def _call(
        self, guest: Guest, function: ExportedFunction, backend: Messaging, delivery: Delivery
    ) -> str | None:
        """Call the handler once; return why the message is not handled, `None` when it is.

        Raises:
            Overloaded: as many calls run and wait as may.
        """
        from qwasr.runtime import log_guest_error
        from qwasr_messaging.host import Message

        began_s, status = time.perf_counter(), 500
        call = guest.call()
        try:
            async with call:
                call.cause = _Traced(delivery)
                await call.invoke(function, Message.delivered(delivery, backend))
        except WitError as error:
            reason = f"the handler answered {_told(error.value)}"
            _logger.warning(
                "%s (message %s of %r, delivery %d)",
                reason,
                delivery.id,
                delivery.topic,
                delivery.attempt,
                extra={"call": call.id},
            )
            return reason
        except Overloaded:
            status = 503
            raise
        except GuestError as error:
            log_guest_error(call.id, error)
            return f"{type(error).__name__}: {error}"
        else:
            status = 200
            return None
        finally:
            took_s = time.perf_counter() - began_s
            guest.telemetry.answered(status, took_s)
            if self._access.enabled:
                self._access.write(call.id, "HANDLE", delivery.topic, status, took_s, call.cpu_s)

    async def _renew(self, delivery: Delivery, lease_s: float) -> None:
        """Keep a message from others while its handler runs."""
        while True:
            await asyncio.sleep(lease_s / 3)
            try:
                if not await delivery.extend():
                    return
            except MessagingError as error:
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        now_s = time.monotonic()
        if now_s - self._complained_s >= _COMPLAIN_S:
            self._complained_s = now_s
            _logger.warning("messages are not received: %s", error, exc_info=_unexpected(error))


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, MessagingError) else error


def _told(value: Any) -> str:
    """Return the guest's error as text."""
    if not isinstance(value, Variant):
        return "an error"
    told = value.case if value.value is None else f"{value.case}: {value.value}"
    return told[:REASON_CHARACTERS]  # a guest may say megabytes
