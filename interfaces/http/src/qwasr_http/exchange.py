"""One request and its response, between aiohttp's connection and a guest.

aiohttp makes an `Exchange` where it would make a `web.BaseRequest`, and gets the same object back as the response: what
it asks of either is here, and nothing is copied. The guest runs in aiohttp's own task; what it writes gathers, and a
response that is finished before the guest first waits goes out in one write, with its length. Otherwise the loop's next
turn, or a full buffer, sends the head and what is there, and the rest follows as the client takes it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qwasr.errors import CpuLimitExceeded, DeadlineExceeded, Overloaded
from qwasr.values import Variant
from qwasr_http.codes import internal_error
from qwasr_http.limits import BodyTooLarge
from qwasr_http.response import BEGUN, DONE, OPEN, SET, ResponseHalf

if TYPE_CHECKING:
    import asyncio

    from qwasr.errors import GuestError

__all__ = ["Exchange"]

_log = logging.getLogger("qwasr.http")


class Exchange(ResponseHalf):
    """A request that was received, the guest that is asked, and the response."""

    __slots__ = ()

    @property
    def runner(self) -> asyncio.Task[Any] | None:
        """The task in which the guest runs."""
        return None if self.call is None else self.call.task

    # ------------------------------------------------------------------ the guest's end

    def starve(self) -> None:
        """Give up on a body that does not come (the connection's)."""
        _log.debug("a body stopped coming (QWASR_BODY_IDLE_S)", extra={"call": self.request_id})
        if self._phase == OPEN:
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
        if self._phase == OPEN:
            _log.error("the guest returned without a response", extra={"call": self.request_id})
            self.problem(500, "The application gave no response.")
            return
        self.push()
        if self._phase != DONE:
            self._break_off(internal_error("the guest returned before it finished the body"))

    def failed(self, error: GuestError) -> None:
        """Answer for a guest that ended without returning; a response that was complete stands."""
        sink = self._sink
        if self._phase == DONE:
            return
        if sink is not None and sink.finished and sink.failure is None:
            self.push()
        elif self._phase == OPEN:
            if isinstance(error, BodyTooLarge):
                self.refuse(413, "The body is too long.")
            elif isinstance(error, DeadlineExceeded | CpuLimitExceeded):
                self.problem(504, "The application took too long.")
            elif isinstance(error, Overloaded):
                self.problem(503, "Too many requests are under way.", retry_after_s=error.retry_after_s)
            else:
                self.problem(500, "The application failed.")
        else:
            if self._phase == SET:
                self._begin()
            self.cut()

    def release(self) -> None:
        """Let go of what holds on to this exchange: in a circle every request would wait for the garbage collector."""
        self.call = self._source = None
        if self._sink is not None:
            self._sink.outlet = None
            self._sink = None

    # ------------------------------------------------------------------ what aiohttp asks of a request and a response

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
        if self._phase != DONE and self.runner is not None:
            self.gone = True
            if self._phase != BEGUN:
                self._status = 0
            self._phase = DONE
            self.runner.cancel()
