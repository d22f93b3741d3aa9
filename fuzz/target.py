"""What a fuzz target is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz.

    Attributes:
        name: for the command line.
        inputs: makes inputs.
        check: takes one; an exception is a finding.
    """

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any], None]
