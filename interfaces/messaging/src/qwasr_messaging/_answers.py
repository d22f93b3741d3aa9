"""How this interface's host functions answer: its exceptions as the guest sees them; see `qwasr.answers`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qwasr.answers import Answers
from qwasr.errors import StoreNotAllowed
from qwasr.values import Variant
from qwasr_messaging.errors import MessagingError, Unavailable

__all__ = ["host_function", "request_function"]


def _error(error: MessagingError) -> Variant:
    """Return the `wasi:messaging/types.error` of what a backend raised."""
    return Variant(error.case) if error.case == "timeout" else Variant(error.case, str(error))


_ANSWERS: Final = Answers(
    name="messaging",
    errors={MessagingError: _error, StoreNotAllowed: lambda error: Variant("permission-denied", str(error))},
    unavailable=Unavailable,
)
host_function = _ANSWERS.host_function
# A request waits for its replies as long as it says, which is its own time limit.
request_function = replace(_ANSWERS, timed=False).host_function
