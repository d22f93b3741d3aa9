"""The response's half of an exchange: what the guest sets and writes, and how it goes out."""

from __future__ import annotations

import logging
import socket
import struct
from typing import TYPE_CHECKING, Final

from qwasr.values import Variant, WitError
from qwasr_http import wire
from qwasr_http.codes import describe, internal_error, status_of
from qwasr_http.messages import content_length
from qwasr_http.received import RequestHalf
from qwasr_http.sinks import BodySink

if TYPE_CHECKING:
    import asyncio

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader

    from qwasr.runtime import GuestCall
    from qwasr_http.connection import Connection
    from qwasr_http.fields import Entry
    from qwasr_http.messages import OutgoingResponse
    from qwasr_http.sources import PayloadSource

__all__ = ["BEGUN", "DONE", "OPEN", "SET", "ResponseHalf"]

_log = logging.getLogger("qwasr.http")

# What has become of the response: the guest has not set it; it is set; its head is out; nothing more will be sent.
OPEN, SET, BEGUN, DONE = range(4)

_CLOSE: Final = "connection: close\r\n"
_KEEP_ALIVE: Final = "connection: keep-alive\r\n"
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 seconds
_NO_BODY: Final = frozenset({204, 304})


class ResponseHalf(RequestHalf):
    """A request that was received, and what is sent in answer to it.

    Attributes:
        call: the guest's call, while there is one.
        gone: the client went away before it had the whole response.
        broken: the response was cut off.
    """

    __slots__ = (
        "_bodyless",
        "_chunked",
        "_entries",
        "_keep_alive",
        "_phase",
        "_sink",
        "_status",
        "_task",
        "_ticking",
        "broken",
        "call",
        "gone",
        "writer",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: Connection,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        super().__init__(message, payload, protocol)
        self.writer = writer
        self.call: GuestCall | None = None
        self.gone = self.broken = False
        self._status = 0
        self._task = task  # aiohttp's; it sets this to None when it is through
        self._phase = OPEN
        self._keep_alive = not message.should_close
        self._ticking = False
        self._chunked = False
        self._bodyless = False
        self._sink: BodySink | None = None

    @property
    def status(self) -> int:
        """The status that was answered, 0 if none was."""
        return self._status if self._phase >= BEGUN else 0

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._keep_alive and not self.protocol.draining

    @property
    def streaming(self) -> bool:
        """Whether the response has begun, and the guest has not finished it."""
        return self._phase == BEGUN

    @property
    def written(self) -> int:
        """How many bytes of its response the guest has written."""
        return 0 if self._sink is None else self._sink.written

    def open_body(self) -> PayloadSource:
        """Return the body's bytes; a client that waits for a 100 gets it now."""
        if self.expects and self._phase < BEGUN and self._write(wire.CONTINUE):
            self.expects = False
        return self.source()

    def respond(self, response: OutgoingResponse) -> None:
        """Take the guest's response; it is sent when it is complete, or the guest waits."""
        if self.call is not None:
            self.call.lift_deadline()
        if self._phase != OPEN:
            return
        self._status, self._entries = response.status, response.entries
        self._bodyless = self.method == "HEAD" or response.status in _NO_BODY
        self._phase = SET
        sink = response.sink
        if sink is None:
            sink = BodySink(None, "HTTP-response-body-size")
            sink.finished = True
        self._sink = sink
        sink.outlet = self
        if not self.protocol.limits.permit(response.entries):
            sink.failure = Variant("HTTP-response-header-section-size")
        elif self._bodyless:
            sink.expected = None
        else:
            try:
                length = content_length(response.entries)
            except WitError:
                sink.failure = Variant("HTTP-response-body-size")
            else:
                if sink.finished and length is not None and length != sink.written:
                    sink.failure = Variant("HTTP-response-body-size", sink.written)
        if sink.failure is not None:
            self._break_off(sink.failure)  # at once: the guest may not survive what it now writes
        else:
            self.stir()

    def respond_error(self, code: Variant) -> None:
        """Answer with the status that a guest's error stands for; its message is for the log."""
        if self._phase != OPEN:
            return
        _log.warning("the guest answered with the error %s", describe(code), extra={"call": self.request_id})
        self.problem(status_of(code), "The application answered with an error.", code=code.case)

    def inform(self, status: int, entries: list[Entry]) -> None:
        """Send an informational response."""
        if not 102 <= status <= 199:
            raise WitError(internal_error("an informational response has a status of 102 to 199"))
        if self._phase != OPEN:
            raise WitError(Variant("HTTP-protocol-error"))
        if not self.protocol.limits.permit(entries):
            raise WitError(Variant("HTTP-response-header-section-size"))
        if self.protocol.writing_paused:  # nothing else would keep them from gathering without end
            raise WitError(internal_error("the client does not take what was sent before"))
        if self.message.version >= (1, 1):
            self._write(wire.informational(status, entries))

    # ------------------------------------------------------------------ on its way out

    def stir(self) -> None:
        """See to it that what is there goes out before the loop turns again; the guest may be through by then."""
        if self._ticking:
            return
        self._ticking = True
        if self.call is not None and self.call.store.running:
            self.call.store.on_pause = self._on_tick  # costs nothing when the guest returns without a pause
        else:
            self.protocol.loop.call_soon(self._on_tick)

    def _on_tick(self) -> None:
        self._ticking = False
        self.push()

    def push(self) -> None:
        """Send what is there, as far as the client takes it."""
        sink = self._sink
        if sink is None or self._phase not in (SET, BEGUN):
            return
        if sink.failure is not None:
            self._break_off(sink.failure)
        elif self._phase == SET:
            self._begin()
        elif sink.finished or not self.protocol.writing_paused:
            data = sink.take()
            if self._bodyless:
                data = b""
            elif self._chunked:
                data = wire.chunk(data) if data else b""
                if sink.finished:
                    data += wire.LAST_CHUNK
            if sink.finished:
                self._complete()
            if data:
                self._write(data)
                if self.call is not None:
                    self.call.renew_cpu_limit()  # a stream of events has no end that a total could wait for

    def _begin(self) -> None:
        """Send the head and what there is of the body: all of it, if the guest has finished."""
        sink = self._sink
        assert sink is not None  # noqa: S101 - a response that is set has one
        data = sink.take()
        length = sink.expected
        framing = ""
        minor = 1 if self.message.version >= (1, 1) else 0
        if self._bodyless:
            data = b""
            length = None if self._status == 204 else _announced(self._entries)
            if length is None and sink.finished and self.method == "HEAD" and sink.written:
                length = sink.written
        elif sink.finished:
            length = len(data)
        elif length is None:
            if minor:
                self._chunked = True
                framing = "transfer-encoding: chunked\r\n"
                data = wire.chunk(data) if data else b""
            else:
                self._keep_alive = False
        if length is not None:
            framing = f"content-length: {length}\r\n"
        if not self.keep_alive:
            framing += _CLOSE
        elif not minor:
            framing += _KEEP_ALIVE
        self._phase = BEGUN
        if sink.finished:
            self._complete()
        head = wire.response_head(
            self._status, self._entries, framing, self.protocol.date, self.request_id, minor=minor
        )
        self._write(head + data if data else head)

    def _complete(self) -> None:
        self._phase = DONE
        if self.call is not None:
            self.call.resume_deadline()  # the guest may work on, but not for ever

    def _break_off(self, code: Variant) -> None:
        """Give up on a body that will not be complete."""
        _log.error("the guest's response is broken (%s)", describe(code), extra={"call": self.request_id})
        if self._phase == SET:
            self.problem(500, "The application's response is broken.")
        else:
            self.cut()

    def _write(self, data: bytes) -> bool:
        transport = self.protocol.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        self.protocol.sent += len(data)
        return True

    def refuse(self, status: int, detail: str) -> None:
        """Answer with a problem report, and read no more requests of this client."""
        self._keep_alive = False
        self.problem(status, detail)

    def problem(self, status: int, detail: str, *, code: str | None = None, retry_after_s: int | None = None) -> None:
        """Answer with a problem report, unless a response has begun: then the connection is cut."""
        if self._phase in (BEGUN, DONE):
            self.cut()
            return
        fields, body = wire.problem(status, detail, self.request_id, code)
        if retry_after_s is not None:
            fields.append(("retry-after", "retry-after", b"%d" % retry_after_s))
        self._status, self._entries, self._bodyless = status, fields, self.method == "HEAD"
        self._sink = sink = BodySink(None, "")
        sink.write(body)
        sink.finished = True
        self._begin()

    def cut(self) -> None:
        """Close the connection in the middle of the response, so that no client takes it for a whole one."""
        if self._phase == DONE:
            return
        self._phase = DONE
        self._keep_alive = False
        self.broken = True
        transport = self.protocol.transport
        if transport is not None and not self._chunked and (self._sink is None or self._sink.expected is None):
            # The end of the connection would be the end of the body: only a reset tells that it is not.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        self.protocol.force_close()

    def resumed(self) -> None:
        """Go on after the client took what was waiting for it (the connection's)."""
        sink = self._sink
        if sink is not None and self._phase == BEGUN:
            self.push()
            sink.notify()


def _announced(entries: list[Entry]) -> int | None:
    try:
        return content_length(entries)
    except WitError:
        return None
