"""Counters as every backend keeps them: ASCII decimal numbers.

Redis' `INCRBY` accepts and writes exactly this form, so a counter may be moved between backends, and read by a person.
"""

from __future__ import annotations

import re

from qwasr_keyvalue.errors import CounterOverflow, NotANumber

__all__ = ["COUNTER_MAX", "COUNTER_MIN", "add", "parse"]

COUNTER_MIN = -(2**63)
COUNTER_MAX = 2**63 - 1
_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")  # 19 digits hold 2⁶³; no sign +, no spaces, no leading zeros


def parse(value: bytes) -> int:
    """Return the number that a counter's value says.

    Raises:
        NotANumber: it is not an ASCII decimal number between −2⁶³ and 2⁶³−1 in its shortest form.
    """
    if _NUMBER.fullmatch(value):
        number = int(value)
        if COUNTER_MIN <= number <= COUNTER_MAX:
            return number
    msg = "the value is not a number that can be incremented (ASCII decimal, 64 bits, signed)"
    raise NotANumber(msg)


def add(value: bytes | None, delta: int) -> int:
    """Return what a counter is after an increment; a missing key counts as 0.

    Raises:
        NotANumber: the value is no counter.
        CounterOverflow: the sum is outside of −2⁶³ … 2⁶³−1.
    """
    total = delta if value is None else parse(value) + delta
    if not COUNTER_MIN <= total <= COUNTER_MAX:
        msg = "the increment would overflow the counter (64 bits, signed)"
        raise CounterOverflow(msg)
    return total
