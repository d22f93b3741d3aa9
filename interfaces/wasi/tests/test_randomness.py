"""wasi:random: lengths, limits, and a seed that fixes everything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qwasr.errors import GuestTrap
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.randomness import MAX_RANDOM_BYTES, Insecure, InsecureSeed, Random
from qwasr_wasi.system import System


def on(system: System) -> Any:
    return SimpleNamespace(default=system)


GENERATORS = [Random(on(System())).get_random_bytes, Insecure(on(System())).get_insecure_random_bytes]


@pytest.mark.parametrize("generate", GENERATORS)
@pytest.mark.parametrize("length", [0, 1, 4096, MAX_RANDOM_BYTES])
def test_as_many_bytes_come_as_were_asked_for(generate: Any, length: int) -> None:
    assert len(generate(length)) == length


@pytest.mark.parametrize("generate", GENERATORS)
@pytest.mark.parametrize("length", [MAX_RANDOM_BYTES + 1, 2**64 - 1])
def test_more_than_2_mib_is_a_trap(generate: Any, length: int) -> None:
    with pytest.raises(GuestTrap, match="2097152"):
        generate(length)


@pytest.mark.parametrize("generate", GENERATORS)
def test_two_calls_answer_differently(generate: Any) -> None:
    assert generate(32) != generate(32)


def test_numbers_use_all_64_bits() -> None:
    random, insecure, seed = Random(on(System())), Insecure(on(System())), InsecureSeed(on(System()))
    numbers = [random.get_random_u64() | insecure.get_insecure_random_u64() for _ in range(50)]
    numbers += [low & high for low, high in (seed.insecure_seed() for _ in range(50))]
    assert all(0 <= number < 2**64 for number in numbers)
    assert max(numbers) >= 2**60


def everything(machine: FixedSystem) -> list[object]:
    system = on(machine)
    return [
        Random(system).get_random_bytes(10),
        Random(system).get_random_u64(),
        Insecure(system).get_insecure_random_bytes(10),
        Insecure(system).get_insecure_random_u64(),
        InsecureSeed(system).insecure_seed(),
    ]


def test_a_seed_fixes_all_of_it() -> None:
    assert everything(FixedSystem(seed=7)) == everything(FixedSystem(seed=7))
    assert everything(FixedSystem(seed=7)) != everything(FixedSystem(seed=8))
