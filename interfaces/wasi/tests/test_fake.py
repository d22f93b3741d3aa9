"""The machine of tests, through the fixture `guest`: time, chance, standard streams, variables."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from qwasr.testing import Clock
from qwasr_wasi.fake import FixedSystem

if TYPE_CHECKING:
    from qwasr.testing import Guest

HOUR_NS = 3600 * 1_000_000_000
pytestmark = pytest.mark.guest("guest.wat")


async def test_a_guest_that_waits_goes_on_when_the_test_moves_the_clock(guest: Guest) -> None:
    sleeping = asyncio.create_task(guest.call(None, "sleep", HOUR_NS))
    await guest.until(lambda: guest.clock.waiting == 1)
    guest.clock.advance(3600)
    assert await sleeping == HOUR_NS
    assert guest.wasi.wall_ns() == guest.clock.wall_ns()


async def test_what_a_guest_prints_is_kept_and_logged(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "qwasr.guest"):
        await guest.call(None, "say", "hello\n")
        await guest.call(None, "say", "again")
    assert guest.wasi.stdout == "hello\nagain"
    assert guest.wasi.stderr == ""
    assert [record.getMessage() for record in caplog.records] == ["hello", "again"]


async def test_a_guest_reads_what_the_test_gives_it(guest: Guest) -> None:
    for given in (b"", b"one two", b"three"):
        guest.wasi.input = given
        assert await guest.call(None, "copy") == len(given)
    assert guest.wasi.stdout == "one twothree"


@pytest.mark.guest("guest.wat", seed=7)
async def test_chance_follows_from_the_seed_of_the_test(guest: Guest) -> None:
    first = guest.wasi.random_bytes(8)
    assert first == FixedSystem(Clock(seed=7)).random_bytes(8)
    assert first != FixedSystem(Clock(seed=8)).random_bytes(8)
    guest.wasi.seed = 7
    assert (guest.wasi.seed, guest.wasi.random_bytes(8)) == (7, first)


def test_variables_and_arguments_are_the_tests() -> None:
    machine = FixedSystem()
    machine.setenv("GREETING", "Hello")
    machine.setenv("NAME", "Ada")
    machine.setenv("GREETING", "Moin")
    assert list(machine.environment) == [("NAME", "Ada"), ("GREETING", "Moin")]


def test_no_more_is_kept_than_16_mib() -> None:
    machine = FixedSystem()
    sink = machine.output("stdout", "call")
    for _ in range(17):
        sink.write(b"x" * 1024 * 1024)
    assert len(machine.stdout) == 16 * 1024 * 1024
