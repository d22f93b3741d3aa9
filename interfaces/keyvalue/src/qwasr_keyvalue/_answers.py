"""How this interface's host functions answer: its exceptions as the guest sees them; see `qwasr.answers`."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from qwasr.answers import Answers
from qwasr.errors import StoreNotAllowed
from qwasr.values import Variant
from qwasr_keyvalue.errors import KeyValueError, Unavailable

__all__ = ["host_function", "swap_function"]

_log = logging.getLogger("qwasr.keyvalue")


def _store_error(error: KeyValueError) -> Variant:
    """Return the `wasi:keyvalue/store.error` of what a backend raised."""
    return Variant(error.case, str(error)) if error.case == "other" else Variant(error.case)


def _no_such_store(error: StoreNotAllowed) -> Variant:
    _log.info("no-such-store: %s", error)
    return Variant("no-such-store")


_ANSWERS: Final = Answers(
    name="keyvalue",
    errors={KeyValueError: _store_error, StoreNotAllowed: _no_such_store},
    unavailable=Unavailable,
)
host_function = _ANSWERS.host_function
# `swap` has `wasi:keyvalue/atomics.cas-error` for its error.
swap_function = replace(_ANSWERS, wrap=lambda error: Variant("store-error", error)).host_function
