"""How this interface's host functions answer: its exceptions as the guest sees them; see `qwasr.answers`."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwasr.answers import Answers
from qwasr.call import current_call
from qwasr.errors import StoreNotAllowed
from qwasr.values import WitError
from qwasr_blobstore.errors import BlobstoreError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["host_function", "long_function", "message_for", "within"]

T = TypeVar("T")

_log = logging.getLogger("qwasr.blobstore")


def _not_allowed(error: StoreNotAllowed) -> str:
    _log.info("no such container: %s", error)
    return "there is no such container"


_ANSWERS: Final = Answers(
    name="blobstore", errors={BlobstoreError: str, StoreNotAllowed: _not_allowed}, unavailable=Unavailable, internal=str
)
host_function = _ANSWERS.host_function
long_function = replace(_ANSWERS, timed=False).host_function  # what takes the longer the more is stored


async def within(step: Awaitable[T]) -> T:
    """Return what one step of something long returns, which has the time of a whole call.

    Raises:
        Unavailable: it took longer.
    """
    try:
        deadlines = current_call().backend_deadlines
    except LookupError:  # called from Python, not from a guest
        deadlines = None
    if deadlines is None:
        return await step
    try:
        async with asyncio.timeout(deadlines.limit_s) as limit:
            return await step
    except TimeoutError:
        if not limit.expired():
            raise
    raise Unavailable(f"no answer within {deadlines.limit_s:g} s: the blobstore service is unavailable")


def message_for(reason: Exception, method: Callable[..., Any]) -> str:
    """Return what a guest is told of an exception where a stream has to tell it.

    Args:
        reason: the exception; one that no guest is told about is logged.
        method: what raised it, for the log.
    """
    try:
        _ANSWERS.fail(reason, method)
    except WitError as told:
        return str(told.value)
