"""The guest of examples/commands: a program that counts lines, words and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "commands"


async def test_it_counts_what_it_reads(guest: Guest) -> None:
    guest.wasi.input = b"one\ntwo three\n"
    assert await guest.run("-l", "-w") == 0
    assert guest.wasi.stdout.split() == ["2", "3"]


async def test_a_file_that_is_not_there_is_an_error(guest: Guest) -> None:
    assert await guest.run("missing") == 1
    assert "missing" in guest.wasi.stderr
