"""How this interface's host functions answer: its exceptions as the guest sees them; see `qwasr.answers`.

An exception that nobody expected is logged here and not by the kernel, since its text may quote a secret: where it was
raised, and without what it says.
"""

from __future__ import annotations

import logging
import traceback
from typing import Final

from qwasr.answers import Answers
from qwasr.call import current_call, new_call_id
from qwasr.errors import StoreNotAllowed
from qwasr.values import Variant
from qwasr_vault.errors import Unavailable, VaultError

__all__ = ["host_function"]

_log = logging.getLogger("qwasr.vault")


def _of(error: VaultError) -> Variant:
    return Variant(error.case, str(error)) if error.case == "other" else Variant(error.case)


def _no_such_store(error: StoreNotAllowed) -> Variant:
    _log.info("no-such-store: %s", error)
    return Variant("no-such-store")


def _unexpected(error: Exception) -> Variant:
    error_id = new_call_id()
    where = "".join(traceback.format_tb(error.__traceback__))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    text = "internal error %s: %s, whose message is left out, since it may have a secret\n%s"
    _log.error(text, error_id, kind, where, extra={"call": _call_id()})
    return Variant("other", f"internal error {error_id}")


def _call_id() -> str:
    try:
        return current_call().id
    except LookupError:  # called from Python, not from a guest
        return ""


_ANSWERS: Final = Answers(
    name="vault",
    errors={VaultError: _of, StoreNotAllowed: _no_such_store, Exception: _unexpected},
    unavailable=Unavailable,
)
host_function = _ANSWERS.host_function
