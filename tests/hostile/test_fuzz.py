"""One short round of every target of `make fuzz`."""

from __future__ import annotations

import pytest

from fuzz.__main__ import fuzz
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_round_of_fuzzing_finds_nothing(name: str) -> None:
    assert fuzz(name, 0, examples=60) >= 10
