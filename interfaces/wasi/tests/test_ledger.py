"""Quotas: how much a mounted folder may hold, whoever fills it and however."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.wasi.tests.folders import (
    BOTH,
    CREATE,
    NO,
    READ,
    closed,
    code,
    listed,
    make,
    mount_of,
    mounted,
    open_numbers,
)
from qwasr_wasi.files.ledger import NAME_BYTES, Ledger

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 100_000
ROOM = LIMIT - NAME_BYTES  # for the bytes of one file


def used(root: Any) -> int:
    """What is counted, after a look that it is what is there."""
    ledger = mount_of(root).ledger
    counted = ledger.used_bytes
    ledger._count()
    assert ledger.used_bytes == counted
    return counted


async def test_a_folder_holds_as_much_as_it_may_and_no_more(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        file = await make(root, "file")
        assert await file.write(bytes(ROOM), 0) == ROOM
        assert used(root) == LIMIT
        assert await code(file.write(b"x", ROOM)) == "quota"
        assert await file.write(b"y" * 100, ROOM - 100) == 100  # makes nothing larger
        assert await code(file.set_size(ROOM + 1)) == "quota"
        assert await code(root.open_at(NO, "other", CREATE, BOTH)) == "quota"
        assert await code(root.create_directory_at("folder")) == "quota"
        assert await code(root.symlink_at("file", "link")) == "quota"
        assert await code(root.link_at(NO, "file", root, "link")) == "quota"
        assert listed(tmp_path) == ["file"]
        await file.set_size(0)
        assert used(root) == NAME_BYTES
        file.drop()


async def test_what_was_there_before_counts(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(90_000))
    os.link(tmp_path / "a" / "b" / "file", tmp_path / "twin")
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        file = await make(root, "file")
        assert used(root) == 90_000 + 5 * NAME_BYTES
        assert await code(file.write(bytes(10_000), 0)) == "quota"
        file.drop()


async def test_holes_count_as_what_they_will_hold(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        file = await make(root, "file")
        assert await code(file.write(b"x", 2**40)) == "quota"
        assert await code(file.set_size(2**40)) == "quota"
        await file.set_size(ROOM)
        assert used(root) == LIMIT
        file.drop()


async def test_names_count_so_that_empty_files_have_an_end(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=10 * NAME_BYTES) as root:
        for n in range(10):
            (await make(root, f"file-{n}")).drop()
        assert await code(root.open_at(NO, "one more", CREATE, BOTH)) == "quota"
        await root.unlink_file_at("file-0")
        await root.create_directory_at("folder")
        assert used(root) == 10 * NAME_BYTES
        await root.remove_directory_at("folder")
        await root.symlink_at("x", "link")
        assert used(root) == 10 * NAME_BYTES


async def test_a_file_with_two_names_counts_until_both_are_gone(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        (await make(root, "one", bytes(50_000))).drop()
        await root.link_at(NO, "one", root, "two")
        assert used(root) == 50_000 + 2 * NAME_BYTES
        await root.unlink_file_at("one")
        assert used(root) == 50_000 + NAME_BYTES
        await root.unlink_file_at("two")
        await closed(root)
        assert used(root) == 0


async def test_a_deleted_file_counts_while_it_is_open(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        file = await make(root, "file", bytes(60_000))
        await root.unlink_file_at("file")
        assert used(root) == 60_000
        await file.write(bytes(10_000), 60_000)
        assert used(root) == 70_000
        other = await make(root, "other")
        assert await code(other.write(bytes(60_000), 0)) == "quota"
        other.drop()
        file.drop()
        await closed(root)
        assert used(root) == NAME_BYTES


async def test_renaming_over_a_file_gives_its_bytes_back(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        for name, size in (("a", 10_000), ("b", 20_000)):
            (await make(root, name, bytes(size))).drop()
        await closed(root)
        await root.rename_at("a", root, "b")
        assert used(root) == 10_000 + NAME_BYTES
        await root.rename_at("b", root, "c")
        await root.link_at(NO, "c", root, "d")
        await root.rename_at("c", root, "d")  # two names of one file: nothing happens
        assert used(root) == 10_000 + 2 * NAME_BYTES


async def test_opening_with_truncate_gives_bytes_back(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        (await make(root, "file", bytes(50_000))).drop()
        (await root.open_at(NO, "file", frozenset({"truncate"}), READ)).drop()
        assert used(root) == NAME_BYTES


async def test_a_write_that_fails_counts_for_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite

    def failing(fd: int, data: bytes, offset: int) -> int:
        whole(fd, data[:100], offset)
        raise OSError(5, "it broke half-way")

    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        file = await make(root, "file")
        monkeypatch.setattr(os, "pwrite", failing)
        assert await code(file.write(bytes(5000), 0)) == "io"
        assert used(root) == NAME_BYTES + 100
        file.drop()


async def test_guests_that_write_at_once_get_what_there_is_and_no_more(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_bytes=LIMIT) as root:
        files = [await make(root, f"file-{n}") for n in range(8)]

        async def fill(file: Any) -> int:
            written = 0
            stream = file.append_via_stream()
            try:
                for _ in range(100):
                    stream.write(bytes(1000))
                    await stream.blocking_flush()
                    written += 1000
            except Exception:  # noqa: BLE001 - the quota
                pass
            stream.drop()
            file.drop()
            return written

        written = sum([await one for one in [asyncio.ensure_future(fill(file)) for file in files]])
        await closed(root)
        room = LIMIT - 8 * NAME_BYTES
        assert room - 1000 < written <= room
        assert used(root) == written + 8 * NAME_BYTES


async def test_a_mount_that_is_not_limited_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was counted")

    monkeypatch.setattr(Ledger, "_count", never)
    for access, limit in (("rw", None), ("ro", 0)):
        async with mounted(tmp_path, access, max_bytes=limit) as root:
            if access == "rw":
                (await make(root, "file", b"data")).drop()
            (await root.open_at(NO, "file", NO, READ)).drop()
            assert mount_of(root).ledger.used_bytes == 0


async def test_a_limit_of_nothing_lets_nothing_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    async with mounted(tmp_path, max_bytes=0) as root:
        assert await code(root.open_at(NO, "new", CREATE, BOTH)) == "quota"
        await root.unlink_file_at("file")
        assert listed(tmp_path) == []


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_others_delete_is_found_when_the_folder_is_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(ROOM))
    clock = Clock()
    root = os.open(tmp_path, os.O_RDONLY)
    ledger = Ledger(root, LIMIT, clock)
    with pytest.raises(OSError, match="quota"), ledger.naming():
        pass
    (tmp_path / "file").unlink()
    with pytest.raises(OSError, match="quota"), ledger.naming():
        pass  # it has only just been counted
    clock.now += 1.1
    with ledger.naming():
        (tmp_path / "new").touch()
    assert ledger.used_bytes == NAME_BYTES
    os.close(root)


def test_what_others_write_is_found_before_long(tmp_path: Path) -> None:
    clock = Clock()
    root = os.open(tmp_path, os.O_RDONLY)
    ledger = Ledger(root, LIMIT, clock)
    with ledger.naming():
        (tmp_path / "ours").touch()
    (tmp_path / "theirs").write_bytes(bytes(ROOM))
    clock.now += 10.1
    with pytest.raises(OSError, match="quota"), ledger.naming():
        pass
    assert ledger.used_bytes == LIMIT + NAME_BYTES
    os.close(root)


def test_folders_too_deep_to_be_looked_into_do_not_make_the_folder_smaller(tmp_path: Path) -> None:
    clock = Clock()
    root = fd = os.open(tmp_path, os.O_RDONLY)
    ledger = Ledger(root, 10**7, clock)
    with ledger.naming():
        (tmp_path / "first").touch()
    before = open_numbers()
    for _ in range(250):  # a guest can make them, each from the one before
        with ledger.naming():
            os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        if fd != root:
            os.close(fd)
        fd = inner
    ledger._count()
    assert ledger.used_bytes == 251 * NAME_BYTES
    os.close(fd)
    assert open_numbers() <= before
    os.close(root)
