"""How large a request may be, and the error of one that turns out to be larger while the guest reads it."""

from __future__ import annotations

from typing import Final

from qwasr.errors import GuestError

__all__ = ["MAX_FIELDS", "MAX_HEADER_BYTES", "MAX_TARGET_BYTES", "BodyTooLarge"]

MAX_TARGET_BYTES: Final = 8 * 1024
"""The longest request target; a longer one is answered with 414."""

MAX_HEADER_BYTES: Final = 16 * 1024
"""All header lines of a request together; more are answered with 431."""

MAX_FIELDS: Final = 256
"""How many header lines a request may have; more are answered with 431."""


class BodyTooLarge(GuestError):
    """A request's body is longer than `QWASR_HTTP_MAX_BODY_BYTES`; it ends the guest that was reading it."""
