"""The trace that a call belongs to: W3C Trace Context, level 1.

The host records no spans, so it names none: what a caller sent goes on unchanged, to the guest and to the requests that
the guest sends. Only a call without a trace, or with one that is not valid, gets a new one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_STATE_BYTES", "MAX_STATE_MEMBERS", "TraceContext", "Traced"]

MAX_STATE_BYTES: Final = 512
"""The longest `tracestate` that goes on; the specification asks for at least this much."""

MAX_STATE_MEMBERS: Final = 32
"""How many members a `tracestate` may have."""

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_NO_TRACE: Final = "0" * 32
_NO_PARENT: Final = "0" * 16


class Traced(Protocol):
    """What a call was made for, and what knows its trace: a request, a message."""

    def trace(self) -> TraceContext:
        """Return the trace, the same one each time."""
        ...


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One place in one trace.

    Attributes:
        parent: the header `traceparent`.
        state: the header `tracestate`; empty when there is none.
    """

    parent: str
    state: str = ""

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits."""
        return self.parent[3:35]

    @classmethod
    def new(cls) -> TraceContext:
        """Return the beginning of a new trace; it is not sampled, since this host records nothing of it."""
        return cls(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00")

    @classmethod
    def read(cls, parents: Sequence[str], states: Sequence[str]) -> TraceContext | None:
        """Read the headers of a request or a message.

        Args:
            parents: every value of `traceparent`.
            states: every value of `tracestate`, in their order.

        Returns:
            The context, without a state that is not valid; ``None`` unless there is one `traceparent` and it is valid.
        """
        if len(parents) != 1 or (found := _PARENT.fullmatch(parents[0])) is None:
            return None
        version, trace_id, parent_id, flags, more = found.groups()
        if version == "ff" or trace_id == _NO_TRACE or parent_id == _NO_PARENT or (version == "00" and more):
            return None
        parent = parents[0]
        if version != "00":  # of a later version only this much is known
            parent = f"00-{trace_id}-{parent_id}-{int(flags, 16) & 1:02x}"
        return cls(parent, _bounded(states))


def _bounded(states: Sequence[str]) -> str:
    """Return the members that go on: all, or the first ones when they are too many or too long."""
    text = ",".join(states)
    if len(text) > 16 * MAX_STATE_BYTES:
        return ""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(keys) != len(members) or any(_MEMBER.fullmatch(member) is None for member in members):
        return ""
    del members[MAX_STATE_MEMBERS:]
    while len(state := ",".join(members)) > MAX_STATE_BYTES:
        # As the specification asks: entries that are long go first, then those at the end.
        long = [index for index, member in enumerate(members) if len(member) > 128]
        del members[long[-1] if long else -1]
    return state
