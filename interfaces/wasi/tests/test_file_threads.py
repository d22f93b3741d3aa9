"""Threads: files never hold the event loop, and nothing is closed that is in use or left open that is not."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.wasi.tests.folders import (
    CREATE,
    FOLLOW,
    NO,
    NOW,
    READ,
    closed,
    code,
    code_now,
    done,
    listed,
    make,
    mount_of,
    mounted,
    names,
)
from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCKING = [
    *("open", "close", "read", "pread", "write", "pwrite", "pwritev", "ftruncate", "fsync", "fdatasync", "fstat"),
    *("stat", "lstat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "readlink", "utime", "scandir"),
    "posix_fadvise",
]


async def test_no_system_call_on_files_is_made_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mounted(tmp_path, max_bytes=10**6) as root:
        on_the_loop: list[str] = []
        seen: set[str] = set()

        def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def system_call(*args: Any, **named: Any) -> Any:
                seen.add(name)
                if threading.current_thread() is threading.main_thread():
                    on_the_loop.append(name)
                return call(*args, **named)

            return system_call

        with monkeypatch.context() as patch:
            for name in BLOCKING:
                patch.setattr(os, name, watched(name, getattr(os, name)))
            await _use_everything(root)
        assert on_the_loop == []
        assert seen >= set(BLOCKING) - {"read", "write", "stat", "close", "fdatasync"}


async def _use_everything(root: Any) -> None:
    file = await make(root, "file", b"data")
    file.get_flags(), file.get_type(), file.is_same_object(root)
    await file.read(10, 0)
    await file.advise(0, 1, "normal")
    await file.set_size(3)
    await file.sync()
    await file.sync_data()
    await file.stat()
    await file.metadata_hash()
    await file.set_times(NOW, NOW)
    source, sink, end = file.read_via_stream(0), file.write_via_stream(0), file.append_via_stream()
    await done(source.blocking_read(10))
    await done(sink.blocking_write_and_flush(b"x"))
    await done(end.blocking_write_and_flush(b"y"))
    for resource in (source, sink, end, file):
        resource.drop()
    await root.create_directory_at("folder")
    await root.symlink_at("file", "soft")
    await root.readlink_at("soft")
    await root.stat_at(FOLLOW, "soft")
    await root.metadata_hash_at(FOLLOW, "soft")
    await root.set_times_at(FOLLOW, "soft", NOW, NOW)
    await root.link_at(NO, "file", root, "hard")
    await root.rename_at("hard", root, "renamed")
    await names(root)
    await root.unlink_file_at("renamed")
    await root.remove_directory_at("folder")


async def test_the_event_loop_goes_on_while_a_disk_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    quick = os.fstat

    def slow(fd: int) -> os.stat_result:
        assert go_on.wait(10)
        return quick(fd)

    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        monkeypatch.setattr(os, "fstat", slow)
        stat = asyncio.ensure_future(file.stat())
        turns = 0
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            await asyncio.sleep(0)
            turns += 1
        assert not stat.done()
        assert turns > 100
        go_on.set()
        assert (await stat).size == 0
        file.drop()


async def test_all_guests_together_have_so_many_files_open(tmp_path: Path) -> None:
    async with mounted(tmp_path, max_open=3) as root:
        files = [await make(root, f"file-{n}") for n in range(3)]
        assert await code(root.open_at(NO, "one more", CREATE, READ)) == "insufficient-memory"
        assert await code(root.read_directory()) == "insufficient-memory"
        assert not (tmp_path / "one more").exists()
        files.pop().drop()
        await closed(root, 2)
        listing = await root.read_directory()
        for resource in (*files, listing):
            resource.drop()


async def test_one_guest_has_so_many_files_open_and_leaves_places_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = "one"
    for module in ("streams", "places"):
        monkeypatch.setattr(f"qwasr_wasi.files.{module}.owner_now", lambda: call)
    monkeypatch.setattr("qwasr_wasi.filesystem.owner_now", lambda: call)
    async with mounted(tmp_path, max_open=5, max_open_each=3) as root:
        one = await make(root, "one")
        streams = [one.read_via_stream(0), one.append_via_stream()]  # each keeps a piece in memory
        for function in (one.read_via_stream, one.write_via_stream):
            assert code_now(function, 0) == "insufficient-memory"
        assert await code(root.read_directory()) == "insufficient-memory"
        call = "other"
        others = [await make(root, "other"), await root.read_directory()]
        assert code_now(one.append_via_stream) == "insufficient-memory"
        for resource in (*streams, one):
            resource.drop()
        await closed(root, 2)
        call = "one"
        again = await make(root, "again")
        for resource in (*others, again):
            resource.drop()
    assert mount_places_are_empty(root)


def mount_places_are_empty(root: Any) -> bool:
    places = mount_of(root).mounts.places
    return places.taken == 0 and not places._by_owner


async def test_what_cannot_be_opened_takes_no_place_among_the_open_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    async with mounted(tmp_path, max_open=1) as root:
        for path in ("missing", "pipe", "../x", "file/x"):
            for _ in range(3):
                assert await code(root.open_at(NO, path, NO, READ)) != "insufficient-memory"
        file = await root.open_at(NO, "file", NO, READ)
        assert await code(file.read_directory()) == "insufficient-memory"
        file.drop()


async def test_a_file_that_is_opened_for_a_cancelled_guest_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    quick = os.lstat

    def slow(*args: Any, **named: Any) -> os.stat_result:
        entered.set()
        assert go_on.wait(10)
        return quick(*args, **named)

    (tmp_path / "file").touch()
    async with mounted(tmp_path) as root:
        with monkeypatch.context() as patch:
            patch.setattr(os, "lstat", slow)
            guest = asyncio.ensure_future(root.open_at(NO, "file", NO, READ))
            await asyncio.to_thread(entered.wait, 10)
            guest.cancel()
            with pytest.raises(asyncio.CancelledError):
                await guest
            assert mount_of(root).mounts.places.taken == 1
            go_on.set()
        await closed(root)


async def test_a_listing_that_is_dropped_while_it_is_read_is_closed_afterwards(tmp_path: Path) -> None:
    for n in range(300):
        (tmp_path / f"file-{n}").touch()
    async with mounted(tmp_path) as root:
        for _ in range(50):
            listing = await root.read_directory()
            reader = asyncio.ensure_future(listing.read_directory_entry())
            await asyncio.sleep(0)
            reader.cancel()
            listing.drop()


async def test_work_of_a_guest_that_was_cancelled_before_it_began_is_not_done(tmp_path: Path) -> None:
    hold = threading.Event()
    async with mounted(tmp_path, threads=1) as root:
        threads = mount_of(root).mounts.threads
        busy = asyncio.ensure_future(threads.run(hold.wait, 10, holding=()))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(root.create_directory_at("never"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        hold.set()
        await busy
    assert listed(tmp_path) == []


async def test_a_file_that_does_not_close_cleanly_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = os.close

    def failing(fd: int) -> None:
        whole(fd)
        raise OSError(5, os.strerror(5))

    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        with monkeypatch.context() as patch:
            patch.setattr(os, "close", failing)
            file.drop()
            await closed(root)
    assert caplog.messages == ["a file of a guest's could not be closed cleanly: Input/output error"]


async def test_an_error_of_the_system_is_an_error_code_and_an_error_of_ours_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mounted(tmp_path) as root:
        for number, expected in ((13, "access"), (28, "insufficient-space"), (122, "quota"), (9999, "io")):

            def broken(*_: object, number: int = number) -> None:
                raise OSError(number, "text")

            with monkeypatch.context() as patch:
                patch.setattr(os, "mkdir", lambda *a, broken=broken, **_: broken(*a))
                assert await code(root.create_directory_at("x")) == expected
        with monkeypatch.context() as patch:
            patch.setattr(os, "mkdir", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await root.create_directory_at("x")
        with pytest.raises(WitError):
            await root.stat_at(NO, "x")
