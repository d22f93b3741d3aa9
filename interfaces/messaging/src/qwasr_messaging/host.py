"""wasi:messaging@0.2.0-draft: types, producer, request-reply.

The signatures are those of the WASI proposal; semantics are told in `qwasr_messaging.protocol`, bounds in
`qwasr_messaging.limits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from weakref import WeakKeyDictionary

from qwasr.call import current_call
from qwasr.errors import ValueTooLarge
from qwasr.hosting import HostInterface, HostResource
from qwasr_messaging import protocol
from qwasr_messaging._answers import host_function, request_function
from qwasr_messaging._bounds import held_bytes
from qwasr_messaging.errors import MessagingError
from qwasr_messaging.limits import MAX_HELD_BYTES, MAX_METADATA_BYTES, MAX_REPLIES, check_message, check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.call import CallInfo
    from qwasr.protocols import Backends
    from qwasr_messaging.protocol import Delivery, Messaging

__all__ = ["DELAY_MS", "TTL_MS", "Client", "Message", "Producer", "RequestOptions", "RequestReply", "Types"]

DELAY_MS: Final = "qwasr-delay-ms"  # metadata of what is sent: how long until it is delivered
TTL_MS: Final = "qwasr-ttl-ms"  # and how long it may be
_MOST_MS: Final = 365 * 24 * 3600 * 1000
_DEFAULT_REQUEST_S: Final = 10.0  # for who does not say how long it waits: a guest's deadline ends it in any case


class Client(HostResource):
    """wasi:messaging/types.client: a broker that the guest has chosen."""

    __slots__ = ("backend",)

    def __init__(self, backend: Messaging) -> None:
        self.backend: Messaging | None = backend

    @host_function
    async def disconnect(self) -> None:
        """Use the broker no more."""
        self.backend = None

    def connected(self) -> Messaging:
        """Return the broker.

        Raises:
            MessagingError: the guest has disconnected from it.
        """
        if self.backend is None:
            msg = "the client is disconnected"
            raise MessagingError(msg)
        return self.backend


class _Held:
    """How many bytes of messages one call of a guest holds."""

    __slots__ = ("__weakref__", "bytes")

    # By call, so that what one guest holds is bounded; an entry goes with its call.
    by_call: ClassVar[WeakKeyDictionary[CallInfo, _Held]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.bytes = 0

    @classmethod
    def of_this_call(cls) -> _Held:
        """Return that of the running call; a new one outside of any."""
        try:
            call = current_call()
        except LookupError:
            return cls()
        held = cls.by_call.get(call)
        if held is None:
            held = cls.by_call[call] = cls()
        return held

    def change(self, more_bytes: int) -> None:
        """Account for bytes that are held from now on.

        Raises:
            ValueTooLarge: they are too many; it ends the guest, since the functions that hold them return no error.
        """
        if more_bytes > 0 and self.bytes + more_bytes > MAX_HELD_BYTES:
            msg = f"the guest holds more than {MAX_HELD_BYTES} bytes of messages"
            raise ValueTooLarge(msg)
        self.bytes += more_bytes


class Message(HostResource):
    """wasi:messaging/types.message: a message that the guest makes, or was given; setters change this very one."""

    __slots__ = ("_bytes", "_content_type", "_data", "_held", "_metadata", "backend", "received_on", "reply_to")

    def __init__(self, data: bytes, content_type: str | None = None, metadata: Sequence[tuple[str, str]] = ()) -> None:
        self._held = _Held.of_this_call()
        self._bytes = 0
        self._hold(data, content_type, list(metadata))
        self.received_on: str | None = None
        self.reply_to: str | None = None
        self.backend: Messaging | None = None

    @classmethod
    def received(cls, message: protocol.Message) -> Message:
        """Return the guest's message of a backend's."""
        return cls(message.data, message.content_type, message.metadata)

    @classmethod
    def delivered(cls, delivery: Delivery, backend: Messaging) -> Message:
        """Return the guest's message of a delivery."""
        made = cls.received(delivery.message)
        made.received_on = delivery.topic
        made.reply_to = delivery.reply_to
        made.backend = backend
        return made

    def topic(self) -> str | None:
        """Return what it was received on, `none` for one that the guest made."""
        return self.received_on

    def content_type(self) -> str | None:
        """Return what the data is."""
        return self._content_type

    def set_content_type(self, content_type: str) -> None:
        """Say what the data is."""
        self._change(content_type, self._metadata)

    def data(self) -> bytes:
        """Return the data."""
        return self._data

    def set_data(self, data: bytes) -> None:
        """Replace the data."""
        self._hold(data, self._content_type, self._metadata)

    def metadata(self) -> list[tuple[str, str]] | None:
        """Return the metadata, `none` when there is none."""
        return list(self._metadata) or None

    def add_metadata(self, key: str, value: str) -> None:
        """Set one value; it takes the place of those that the key had."""
        self._change(self._content_type, [*(pair for pair in self._metadata if pair[0] != key), (key, value)])

    def set_metadata(self, meta: list[tuple[str, str]]) -> None:
        """Replace all metadata."""
        self._change(self._content_type, list(meta))

    def remove_metadata(self, key: str) -> None:
        """Remove the values of a key."""
        self._change(self._content_type, [pair for pair in self._metadata if pair[0] != key])

    def _change(self, content_type: str | None, metadata: list[tuple[str, str]]) -> None:
        # These functions have no error to return, and texts without a bound would be the host's memory.
        characters = len(content_type or "") + sum(len(name) + len(value) + 1 for name, value in metadata)
        if characters > MAX_METADATA_BYTES:
            msg = f"the metadata and the content type of a message are larger than {MAX_METADATA_BYTES} bytes"
            raise ValueTooLarge(msg)
        self._hold(self._data, content_type, metadata)

    def _hold(self, data: bytes, content_type: str | None, metadata: list[tuple[str, str]]) -> None:
        """Be this from now on."""
        bytes_ = held_bytes(data, content_type, metadata)
        self._held.change(bytes_ - self._bytes)
        self._bytes = bytes_
        self._data = data
        self._content_type = content_type
        self._metadata = metadata

    def drop(self) -> None:
        """Hold nothing any longer."""
        self._hold(b"", None, [])

    def sent(self) -> protocol.Message:
        """Return what is sent: without what is meant for the broker, with the trace of the guest's call.

        Raises:
            TooLarge: it is larger than it may be.
        """
        metadata = [pair for pair in self._metadata if pair[0] not in (DELAY_MS, TTL_MS)]
        _add_trace(metadata)
        message = protocol.Message(self._data, self._content_type, tuple(metadata))
        check_message(message)
        return message

    def seconds(self, key: str) -> float | None:
        """Return what the metadata says in milliseconds, in seconds; `None` where it says nothing.

        Raises:
            MessagingError: it is no number, or too large.
        """
        text = next((value for name, value in self._metadata if name == key), None)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= _MOST_MS):
            msg = f"the metadata {key!r} is no number of milliseconds from 0 to {_MOST_MS}"
            raise MessagingError(msg)
        return int(text) / 1000


class Types(HostInterface, wit="wasi:messaging/types", resources=(Client, Message)):
    """wasi:messaging/types: clients and messages.

    Attributes:
        backends: the brokers.
    """

    def __init__(self, backends: Backends[Messaging]) -> None:
        self.backends = backends

    @host_function
    async def client_connect(self, name: str) -> Client:
        """Return a client of the broker that is configured for a name, or of the default one."""
        check_name(name)
        return Client(self.backends.named(name))


class Producer(HostInterface, wit="wasi:messaging/producer"):
    """wasi:messaging/producer: send messages."""

    def __init__(self, backends: Backends[Messaging]) -> None:
        """Need none: a client knows its broker."""

    @host_function
    async def send(self, c: Client, topic: str, message: Message) -> None:
        """Send a message; it is at the broker when this returns."""
        try:
            delay_s, ttl_s, sent = message.seconds(DELAY_MS), message.seconds(TTL_MS), message.sent()
        finally:
            message.drop()  # it was given away, and is held no longer
        await c.connected().publish(topic, sent, delay_s=delay_s or 0.0, ttl_s=ttl_s)


class RequestOptions(HostResource):
    """wasi:messaging/request-reply.request-options: how long to wait, and for how many replies."""

    __slots__ = ("expected_replies", "timeout_ms")

    def __init__(self) -> None:
        self.timeout_ms: int | None = None
        self.expected_replies = 1

    def set_timeout_ms(self, timeout_ms: int) -> None:
        """Set how long to wait."""
        self.timeout_ms = timeout_ms

    def set_expected_replies(self, expected_replies: int) -> None:
        """Set how many replies are enough."""
        self.expected_replies = expected_replies


class RequestReply(HostInterface, wit="wasi:messaging/request-reply", resources=(RequestOptions,)):
    """wasi:messaging/request-reply: ask, and answer."""

    def __init__(self, backends: Backends[Messaging]) -> None:
        """Need none: a client knows its broker, and so does a message that was delivered."""

    @request_function
    async def request(self, c: Client, topic: str, message: Message, options: RequestOptions | None) -> list[Message]:
        """Send a message, and return the replies to it; `timeout` when there is none in time."""
        wanted = options or RequestOptions()
        timeout_s = _DEFAULT_REQUEST_S if wanted.timeout_ms is None else wanted.timeout_ms / 1000
        replies = min(max(wanted.expected_replies, 1), MAX_REPLIES)
        found = await c.connected().request(topic, message.sent(), timeout_s=timeout_s, replies=replies)
        return [Message.received(reply) for reply in found]

    @host_function
    async def reply(self, reply_to: Message, message: Message) -> None:
        """Reply to a message; nothing happens where nobody waits for that."""
        try:
            sent = message.sent()
        finally:
            message.drop()
        if reply_to.reply_to is not None and reply_to.backend is not None:
            await reply_to.backend.reply(reply_to.reply_to, sent)


def _add_trace(metadata: list[tuple[str, str]]) -> None:
    """Let a message belong to the trace of the guest's call, unless the guest says what it belongs to."""
    if any(name.lower() == "traceparent" for name, _ in metadata):
        return
    try:
        cause = current_call().cause
    except LookupError:  # sent from Python
        return
    if cause is None:
        return
    trace = cause.trace()
    # A state without its parent is of no trace, whoever set it.
    metadata[:] = [pair for pair in metadata if pair[0].lower() != "tracestate"]
    metadata.append(("traceparent", trace.parent))
    if trace.state:
        metadata.append(("tracestate", trace.state))
