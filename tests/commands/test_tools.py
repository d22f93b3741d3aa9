"""Ordinary tools, written in C and linked with wasi-libc, do as guests what their native builds do."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.commands.tools import Outcome

if TYPE_CHECKING:
    from tests.commands.tools import Tools

WORDS = b"the quick brown fox\njumps\tover  the\n\nlazy dog"
NUMBERS = b"10\n9\n-3\n1e1\n0.5\nten\n\n9\n"


def lines(count: int) -> bytes:
    chance = random.Random(5)
    return b"".join(b"%d %s\n" % (chance.randrange(1000), chance.randbytes(8).hex().encode()) for _ in range(count))


@pytest.mark.parametrize("stdin", [b"", b"no end of line", WORDS, bytes(range(1, 256)) * 300], ids=len)
async def test_cat_copies_its_input(tools: Tools, stdin: bytes) -> None:
    assert (await tools.both("cat", stdin=stdin)).out == stdin


async def test_cat_numbers_lines(tools: Tools) -> None:
    assert (await tools.both("cat", "-n", stdin=WORDS)).out.startswith(b"     1\tthe quick")


async def test_cat_puts_files_and_its_input_one_after_another(tools: Tools) -> None:
    (tools.folder / "a").write_bytes(b"first\n")
    (tools.folder / "b").write_bytes(b"last\n")
    assert (await tools.both("cat", "a", "-", "b", stdin=b"middle\n")).out == b"first\nmiddle\nlast\n"


async def test_cat_goes_on_after_a_file_that_is_not_there(tools: Tools) -> None:
    (tools.folder / "a").write_bytes(b"first\n")
    outcome = await tools.both("cat", "absent", "a")
    assert outcome == Outcome(1, b"first\n", b"cat: absent: No such file or directory\n")


async def test_cat_of_a_folder_is_an_error(tools: Tools) -> None:
    (tools.folder / "folder").mkdir()
    guest, native = await tools.guest("cat", "folder"), tools.native("cat", "folder")
    assert (guest.code, guest.out) == (native.code, native.out) == (1, b"")
    assert guest.err == b"cat: folder: Bad file descriptor\n"  # preview 1 has no other word for it


@pytest.mark.parametrize("flags", [(), ("-r",), ("-n",), ("-u",), ("-r", "-n", "-u")], ids=" ".join)
@pytest.mark.parametrize("stdin", [b"", NUMBERS, lines(3000)], ids=len)
async def test_sort_orders_its_input(tools: Tools, flags: tuple[str, ...], stdin: bytes) -> None:
    await tools.both("sort", *flags, stdin=stdin)


async def test_sort_orders_files_into_a_file(tools: Tools) -> None:
    (tools.folder / "a").write_bytes(b"b\nd\n")
    (tools.folder / "b").write_bytes(b"c\na\n")
    await tools.guest("sort", "-o", "guest", "a", "b")
    tools.native("sort", "-o", "native", "a", "b")
    assert (tools.folder / "guest").read_bytes() == (tools.folder / "native").read_bytes() == b"a\nb\nc\nd\n"


@pytest.mark.parametrize("arguments", [("absent",), ("-o", "no/such/folder", "a")])
async def test_sort_passes_its_own_exit_code_on(tools: Tools, arguments: tuple[str, ...]) -> None:
    (tools.folder / "a").write_bytes(b"a\n")
    assert (await tools.both("sort", *arguments)).code == 2


@pytest.mark.parametrize("flags", [(), ("-l",), ("-w",), ("-c",), ("-lw",)], ids=" ".join)
@pytest.mark.parametrize("stdin", [b"", WORDS, lines(3000)], ids=len)
async def test_wc_counts_its_input(tools: Tools, flags: tuple[str, ...], stdin: bytes) -> None:
    await tools.both("commands", *flags, stdin=stdin)


async def test_wc_counts_files_and_all_of_them_together(tools: Tools) -> None:
    (tools.folder / "a").write_bytes(WORDS)
    (tools.folder / "b").write_bytes(lines(50))
    assert (await tools.both("commands", "a", "b", "absent")).code == 1


VALUES = [
    [],
    {},
    "x",
    -1.5e-10,
    None,
    {"a": [1, 2, {"b": None, "c": [[], {}]}], "ü": '"\\\n\u2028', "t": [True, False]},
    [[[[[["deep"]]]]]],
    list(range(2000)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("flags", [(), ("-c",), ("-i", "4")], ids=" ".join)
async def test_json_is_formatted_and_means_the_same(tools: Tools, value: object, flags: tuple[str, ...]) -> None:
    outcome = await tools.both("json-format", *flags, stdin=json.dumps(value).encode())
    assert json.loads(outcome.out) == value


@pytest.mark.parametrize(
    "text", ["", "[1,]", '{"a" 1}', "nul", '"open', "[1] 2", "01", '"\\x"', '{\n  "a": [1,\n 2 3]}', "[" * 600]
)
async def test_what_is_not_json_is_an_error_with_its_place(tools: Tools, text: str) -> None:
    outcome = await tools.both("json-format", stdin=text.encode())
    assert outcome.code == 1
    assert b"expected" in outcome.err


async def test_an_unknown_flag_is_the_tools_own_exit_code(tools: Tools) -> None:
    for name in ("sort", "commands", "json-format"):
        assert (await tools.guest(name, "-?")).code == tools.native(name, "-?").code == 2
