"""One request and its response, between aiohttp's connection and a guest.

aiohttp makes an `Exchange` where it would make a `web.BaseRequest`, and gets the same object back as the response: what
it asks of either is here, and nothing is copied. The guest runs in aiohttp's own task; what it writes gathers, and a
response that is finished before the guest first waits goes out in one write, with its length. Otherwise the loop's next
turn, or a full buffer, sends the head and what is there, and the rest follows as the client takes it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from qwasr.errors import CpuLimitExceeded, DeadlineExceeded, Overloaded
from qwasr.values import Variant, WitError
from qwasr_http import wire
from qwasr_http.codes import describe, internal_error, status_of
from qwasr_http.limits import BodyTooLarge
from qwasr_http.messages import content_length
from qwasr_http.received import RequestHalf
from qwasr_http.sinks import BodySink

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader

    from qwasr.errors import GuestError
    from qwasr.runtime import GuestCall
    from qwasr_http.connection import Connection
    from qwasr_http.fields import Entry
    from qwasr_http.messages import OutgoingResponse
    from qwasr_http.sources import PayloadSource

__all__ = ["Exchange"]

_log = logging.getLogger("qwasr.http")

# What has become of the response: the guest has not set it; it is set; its head is out; nothing more will be sent.
_OPEN, _SET, _BEGUN, _DONE = range(4)

_CLOSE: Final = "connection: close\r\n"
_KEEP_ALIVE: Final = "connection: keep-alive\r\n"
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 seconds
_NO_BODY: Final = frozenset({204, 304})


class Exchange(RequestHalf):
    """A request that was received, and the response to it.

    Attributes:
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
        self._phase = _OPEN
        self._keep_alive = not message.should_close
        self._ticking = False
        self._chunked = False
        self._bodyless = False
        self._sink: BodySink | None = None

    # ------------------------------------------------------------------ the response, for the guest

    @property
    def runner(self) -> asyncio.Task[Any] | None:
        """The task in which the guest runs."""
        return None if self.call is None else self.call.task

    @property
    def status(self) -> int:
        """The status that was answered, 0 if none was."""
        return self._status if self._phase >= _BEGUN else 0

    @property
    def streaming(self) -> bool:
        """Whether the response has begun, and the guest has not finished it."""
        return self._phase == _BEGUN

    @property
    def written(self) -> int:
        """How many bytes of its response the guest has written."""
        return 0 if self._sink is None else self._sink.written

    def open_body(self) -> PayloadSource:
        """Return the body's bytes; a client that waits for a 100 gets it now."""
        if self.expects and self._phase < _BEGUN and self._write(wire.CONTINUE):
            self.expects = False
        return self.source()

    def respond(self, response: OutgoingResponse) -> None:
        """Take the guest's response; it is sent when it is complete, or the guest waits."""
        if self.call is not None:
            self.call.lift_deadline()
        if self._phase != _OPEN:
            return
        self._status, self._entries = response.status, response.entries
        self._bodyless = self.method == "HEAD" or response.status in _NO_BODY
        self._phase = _SET
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
        if self._phase != _OPEN:
            return
        _log.warning("the guest answered with the error %s", describe(code), extra={"call": self.request_id})
        self.problem(status_of(code), "The application answered with an error.", code=code.case)

    def inform(self, status: int, entries: list[Entry]) -> None:
        """Send an informational response."""
        if not 102 <= status <= 199:
            raise WitError(internal_error("an informational response has a status of 102 to 199"))
        if self._phase != _OPEN:
            raise WitError(Variant("HTTP-protocol-error"))
        if not self.protocol.limits.permit(entries):
            raise WitError(Variant("HTTP-response-header-section-size"))
        if self.protocol.writing_paused:  # nothing else would keep them from gathering without end
            raise WitError(internal_error("the client does not take what was sent before"))
        if self.message.version >= (1, 1):
            self._write(wire.informational(status, entries))

    # ------------------------------------------------------------------ the response, on its way out

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
        if sink is None or self._phase not in (_SET, _BEGUN):
            return
        if sink.failure is not None:
            self._break_off(sink.failure)
        elif self._phase == _SET:
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
        self._phase = _BEGUN
        if sink.finished:
            self._complete()
        head = wire.response_head(
            self._status, self._entries, framing, self.protocol.date, self.request_id, minor=minor
        )
        self._write(head + data if data else head)

    def _complete(self) -> None:
        self._phase = _DONE
        if self.call is not None:
            self.call.resume_deadline()  # the guest may work on, but not for ever

    def _break_off(self, code: Variant) -> None:
        """Give up on a body that will not be complete."""
        _log.error("the guest's response is broken (%s)", describe(code), extra={"call": self.request_id})
        if self._phase == _SET:
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
        if self._phase in (_BEGUN, _DONE):
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
        if self._phase == _DONE:
            return
        self._phase = _DONE
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
        if sink is not None and self._phase == _BEGUN:
            self.push()
            sink.notify()

    # ------------------------------------------------------------------ the guest's end

    def starve(self) -> None:
        """Give up on a body that does not come (the connection's)."""
        _log.debug("a body stopped coming (QWASR_BODY_IDLE_S)", extra={"call": self.request_id})
        if self._phase == _OPEN:
            self.refuse(408, "The body stopped coming.")
        else:
            self.cut()
        self.gone = True
        if self.runner is not None:
            self.runner.cancel()

    def stall(self, idle_s: float) -> None:
        """Give up on a response of which the guest writes nothing more (the connection's)."""
        _log.warning(
            "the guest wrote nothing of its response for %g s (QWASR_BODY_IDLE_S)",
            idle_s,
            extra={"call": self.request_id},
        )
        self.cut()
        if self.runner is not None:
            self.runner.cancel()

    def returned(self) -> None:
        """Complete the response of a guest that has returned."""
        if self._phase == _OPEN:
            _log.error("the guest returned without a response", extra={"call": self.request_id})
            self.problem(500, "The application gave no response.")
            return
        self.push()
        if self._phase != _DONE:
            self._break_off(internal_error("the guest returned before it finished the body"))

    def failed(self, error: GuestError) -> None:
        """Answer for a guest that ended without returning; a response that was complete stands."""
        sink = self._sink
        if self._phase == _DONE:
            return
        if sink is not None and sink.finished and sink.failure is None:
            self.push()
        elif self._phase == _OPEN:
            if isinstance(error, BodyTooLarge):
                self.refuse(413, "The body is too long.")
            elif isinstance(error, DeadlineExceeded | CpuLimitExceeded):
                self.problem(504, "The application took too long.")
            elif isinstance(error, Overloaded):
                self.problem(503, "Too many requests are under way.", retry_after_s=error.retry_after_s)
            else:
                self.problem(500, "The application failed.")
        else:
            if self._phase == _SET:
                self._begin()
            self.cut()

    def release(self) -> None:
        """Let go of what holds on to this exchange: in a circle every request would wait for the garbage collector."""
        self.call = self._source = None
        if self._sink is not None:
            self._sink.outlet = None
            self._sink = None

    # ------------------------------------------------------------------ what aiohttp asks of a request and a response

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._keep_alive and not self.protocol.draining

    async def prepare(self, request: object) -> None:
        """Do nothing: the head is out."""

    async def write_eof(self) -> None:
        """Let the client take the response before its next request is looked at."""
        if self.protocol.writing_paused:
            await self.writer.drain()
        if self.expects or self.payload.exception() is not None:
            # The client still waits for leave to send its body, or sends what is no body: nothing can follow.
            self.protocol.force_close()

    def _finish(self) -> None:
        pass

    def _cancel(self, reason: BaseException) -> None:
        """End the guest, unless it has answered: the client is gone, or the server closes."""
        self.payload.set_exception(reason)
        if self._sink is not None:
            self._sink.fail(Variant("connection-terminated"))
        if self._phase != _DONE and self.runner is not None:
            self.gone = True
            if self._phase != _BEGUN:
                self._status = 0
            self._phase = _DONE
            self.runner.cancel()


def _announced(entries: list[Entry]) -> int | None:
    try:
        return content_length(entries)
    except WitError:
        return None
