"""How large a request and a head may be, and the error of a request that turns out to be larger while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwasr.errors import GuestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from qwasr_http.fields import Entry

__all__ = ["MAX_FIELDS", "MAX_HEADER_BYTES", "MAX_TARGET_BYTES", "BodyTooLarge", "Limits", "header_bytes"]

MAX_TARGET_BYTES: Final = 8 * 1024
"""The longest request target; a longer one is answered with 414."""

MAX_HEADER_BYTES: Final = 16 * 1024
"""All header lines of one head together, unless `QWASR_HTTP_MAX_HEADER_BYTES` says otherwise."""

MAX_FIELDS: Final = 256
"""How many header lines a head may have, unless `QWASR_HTTP_MAX_HEADERS` says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may do.

    Attributes:
        body_bytes: the longest body of a request; a longer one is answered with 413.
        header_bytes: all header lines of a request together, or of a response; more are answered with 431, or 500.
        headers: how many of them; more are answered likewise.
        keep_alive_s: how long a connection is kept on which nothing is under way.
        head_s: from a head's first byte to its end; answered with 408.
        idle_s: how long a body may stand still that the guest waits for, or a response that the client does not take.
    """

    body_bytes: int = 10 * 1024 * 1024
    header_bytes: int = MAX_HEADER_BYTES
    headers: int = MAX_FIELDS
    keep_alive_s: float = 75.0
    head_s: float = 10.0
    idle_s: float = 30.0

    def permit(self, entries: list[Entry]) -> bool:
        """Say whether the fields of a response are as few and as short as they have to be."""
        if len(entries) > self.headers:
            return False
        return header_bytes((name, value) for _, name, value in entries) <= self.header_bytes


def header_bytes(headers: Iterable[tuple[Sized, Sized]]) -> int:
    """Return how many bytes names and values take as header lines."""
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4  # a colon, a space, the end of the line
    return size


class BodyTooLarge(GuestError):
    """A request's body is longer than `QWASR_HTTP_MAX_BODY_BYTES`; it ends the guest that was reading it."""
