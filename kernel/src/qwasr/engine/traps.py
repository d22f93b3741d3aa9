"""What the library says when a guest fails, as this package's errors."""

from __future__ import annotations

import re
from typing import Final

from qwasr.engine.sized import MAX_PASSED_ELEMENTS
from qwasr.errors import FuelExhausted, GuestError, GuestTrap, InstantiationError, ValueTooLarge

__all__ = ["guest_error", "instantiation_error", "split_trap"]

_FRAME: Final = re.compile(r"^ +\d+: +(?:0x[0-9a-f]+ - )?(.*)$")
_OUT_OF_FUEL: Final = "all fuel consumed"
_PASSED_TOO_MUCH: Final = "fuel allocated for hostcalls"
# A refusal's words, and what its user can set.
_REFUSALS: Final = (
    (re.compile("exceeds memory limits"), "QWASR_GUEST_MEMORY_BYTES"),
    (re.compile("exceeds table limits"), "QWASR_GUEST_TABLE_ELEMENTS"),
    (re.compile("instance count too high"), "QWASR_GUEST_INSTANCES"),
    (re.compile("table count too high"), "QWASR_GUEST_TABLES"),
    (re.compile("memory count too high"), "QWASR_GUEST_MEMORIES"),
)


def split_trap(message: str) -> tuple[str, str]:
    """Split a library error into its reason (one line, without addresses) and its backtrace (one frame a line)."""
    head, _, causes = message.partition("Caused by:")
    frames = [match[1] for line in head.splitlines() if (match := _FRAME.match(line))]
    lines = [re.sub(r"^\d+: ", "", line.strip()) for line in causes.splitlines() if line.strip()]
    if not lines:
        return message.strip().splitlines()[0] if message.strip() else "unknown error", "\n".join(frames)
    # wasmtime puts the trap itself last, below what led to it; a longer explanation of its own begins with the reason
    return (lines[-1] if lines[-1].startswith("wasm trap:") else lines[0]), "\n".join(frames)


def guest_error(message: str, name: str) -> GuestError:
    """Return the error for what ended a call.

    Args:
        message: the library's.
        name: the export that was called.
    """
    reason, backtrace = split_trap(message)
    return _limit(reason, backtrace, name) or GuestTrap(reason, backtrace)


def instantiation_error(message: str) -> GuestError:
    """Return the error for what kept a component from being instantiated."""
    reason, backtrace = split_trap(message)
    if (limit := _limit(reason, backtrace, "its start")) is not None:
        return limit
    hint = next((f" ({variable})" for words, variable in _REFUSALS if words.search(reason)), "")
    return InstantiationError(f"the component cannot be instantiated: {reason}{hint}", backtrace)


def _limit(reason: str, backtrace: str, name: str) -> GuestError | None:
    if _OUT_OF_FUEL in reason:
        return FuelExhausted(f"the guest used up its fuel in {name} (QWASR_GUEST_FUEL)", backtrace)
    if _PASSED_TOO_MUCH in reason:
        msg = (
            f"the guest passed more than the engine carries in one piece, in {name}: "
            f"{MAX_PASSED_ELEMENTS} elements of lists, or 128 MiB of text; it has to pass smaller ones"
        )
        return ValueTooLarge(msg, backtrace)
    return None
