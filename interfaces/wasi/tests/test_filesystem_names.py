"""wasi:filesystem: folders, names, links and times, and which error codes they answer."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from interfaces.wasi.tests.folders import (
    FOLLOW,
    NO,
    NO_CHANGE,
    NOW,
    READ,
    WRITE,
    code,
    content,
    listed,
    make,
    mounted,
    names,
)
from qwasr.values import Variant
from qwasr_wasi.clocks import Datetime

if TYPE_CHECKING:
    from pathlib import Path

U64_MAX = 2**64 - 1


async def test_folders_are_made_and_removed(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        await root.create_directory_at("a")
        await root.create_directory_at("a/b/")
        assert await code(root.create_directory_at("a")) == "exist"
        assert await code(root.create_directory_at(".")) == "exist"
        assert await code(root.create_directory_at("c/d")) == "no-entry"
        assert await code(root.remove_directory_at("a")) == "not-empty"
        await root.remove_directory_at("a/b/")
        await root.remove_directory_at("a")
        assert await code(root.remove_directory_at("a")) == "no-entry"
        assert await code(root.remove_directory_at(".")) == "invalid"
        (await make(root, "file")).drop()
        assert await code(root.remove_directory_at("file")) == "not-directory"
    assert listed(tmp_path) == ["file"]


async def test_unlink_takes_names_of_files_and_links_only(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "to-sub").symlink_to("sub")
    async with mounted(tmp_path) as root:
        (await make(root, "file")).drop()
        assert await code(root.unlink_file_at("sub")) == "is-directory"
        assert await code(root.unlink_file_at("sub/")) == "is-directory"
        assert await code(root.unlink_file_at("file/")) == "not-directory"
        assert await code(root.unlink_file_at("to-sub/")) == "not-directory"
        assert await code(root.remove_directory_at("to-sub")) == "not-directory"
        assert await code(root.remove_directory_at("to-sub/")) == "not-directory"
        await root.unlink_file_at("file")
        await root.unlink_file_at("to-sub")
        assert await code(root.unlink_file_at("file")) == "no-entry"
    assert listed(tmp_path) == ["sub"]


async def test_a_file_that_is_deleted_while_it_is_open_can_be_used(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"data")
        await root.unlink_file_at("file")
        assert await file.read(10, 0) == (b"data", False)
        assert (await file.stat()).link_count == 0
        file.drop()


async def test_rename_replaces_as_posix_says(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "x").mkdir(parents=True)
    async with mounted(tmp_path) as root:
        (await make(root, "a", b"a")).drop()
        (await make(root, "b", b"b")).drop()
        await root.rename_at("a", root, "b")
        assert await content(root, "b") == b"a"
        assert await code(root.rename_at("a", root, "c")) == "no-entry"
        assert await code(root.rename_at("b", root, "empty")) == "is-directory"
        assert await code(root.rename_at("empty", root, "b")) == "not-directory"
        assert await code(root.rename_at("empty", root, "full")) == "not-empty"
        assert await code(root.rename_at("full", root, "full/x/y")) == "invalid"
        assert await code(root.rename_at("b/", root, "c")) == "not-directory"
        assert await code(root.rename_at("b", root, "c/")) == "not-directory"
        await root.rename_at("full/", root, "empty/")
        assert await names(root) == {"b": "regular-file", "empty": "directory"}
        sub = await root.open_at(NO, "empty", NO, READ)
        await root.rename_at("b", sub, "b")
        assert await names(sub) == {"b": "regular-file", "x": "directory"}
        sub.drop()


async def test_links_are_made_read_and_followed(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        (await make(root, "file", b"data")).drop()
        await root.symlink_at("file", "soft")
        await root.symlink_at("../anywhere", "leads-out")  # what it says is looked at when it is followed
        await root.link_at(NO, "file", root, "hard")
        await root.link_at(FOLLOW, "soft", root, "through")
        await root.link_at(NO, "soft", root, "soft-2")
        assert await root.readlink_at("soft") == "file"
        assert await root.readlink_at("soft-2") == "file"
        assert await root.readlink_at("leads-out") == "../anywhere"
        assert (await root.stat_at(NO, "through")).link_count == 3
        assert (await root.stat_at(NO, "soft")).size == 4
        assert await code(root.stat_at(FOLLOW, "leads-out")) == "not-permitted"
        assert await code(root.readlink_at("file")) == "invalid"
        assert await code(root.readlink_at("missing")) == "no-entry"
        assert await code(root.symlink_at("/etc", "absolute")) == "not-permitted"
        assert await code(root.symlink_at("x", "file")) == "exist"
        assert await code(root.symlink_at("x", "new/")) == "no-entry"
        assert await code(root.link_at(NO, "missing", root, "x")) == "no-entry"
        assert await code(root.link_at(NO, "file", root, "hard")) == "exist"
        assert await code(root.link_at(NO, ".", root, "x")) == "not-permitted"


async def test_what_a_link_of_the_hosts_says_is_not_shown_where_it_is_absolute_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(tmp_path)
    (tmp_path / "bytes").symlink_to(os.fsdecode(b"\xff"))
    async with mounted(tmp_path) as root:
        assert await code(root.readlink_at("absolute")) == "not-permitted"
        assert await code(root.readlink_at("bytes")) == "illegal-byte-sequence"


async def test_times_are_set_kept_and_shown(tmp_path: Path) -> None:
    old, new = Datetime(1, 2), Datetime(3_000_000_000, 999_999_999)
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        await root.symlink_at("file", "link")
        await file.set_times(Variant("timestamp", old), Variant("timestamp", new))
        stat = await root.stat_at(FOLLOW, "link")
        assert (stat.data_access_timestamp, stat.data_modification_timestamp) == (old, new)
        await root.set_times_at(FOLLOW, "link", Variant("timestamp", new), NO_CHANGE)
        stat = await file.stat()
        assert (stat.data_access_timestamp, stat.data_modification_timestamp) == (new, new)
        await root.set_times_at(NO, "link", Variant("timestamp", old), Variant("timestamp", old))
        assert (await root.stat_at(NO, "link")).data_modification_timestamp == old
        assert (await file.stat()).data_modification_timestamp == new
        await file.set_times(NO_CHANGE, NOW)
        stat = await file.stat()
        assert stat.data_access_timestamp == new
        assert stat.data_modification_timestamp is not None
        assert 1_700_000_000 < stat.data_modification_timestamp.seconds < 3_000_000_000
        await root.set_times(NOW, NOW)
        await root.set_times_at(NO, "file", NO_CHANGE, NO_CHANGE)
        assert await code(file.set_times(NOW, Variant("timestamp", Datetime(0, 10**9)))) == "invalid"
        assert await code(file.set_times(NOW, Variant("timestamp", Datetime(U64_MAX, 0)))) == "overflow"
        assert await code(root.set_times_at(FOLLOW, "missing", NOW, NOW)) == "no-entry"
        file.drop()


async def test_a_time_before_1970_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.utime(tmp_path / "file", ns=(-1, 0))
    async with mounted(tmp_path) as root:
        stat = await root.stat_at(NO, "file")
        assert (stat.data_access_timestamp, stat.data_modification_timestamp) == (None, Datetime(0, 0))


async def test_one_file_is_the_same_object_under_all_its_names(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        one = await make(root, "one")
        await root.link_at(NO, "one", root, "two")
        two = await root.open_at(NO, "two", NO, READ)
        other = await make(root, "other")
        assert one.is_same_object(two)
        assert not one.is_same_object(other)
        assert not one.is_same_object(root)
        assert await one.metadata_hash() == await root.metadata_hash_at(NO, "two")
        assert await one.metadata_hash() != await other.metadata_hash()
        before = await one.metadata_hash()
        await one.write(b"changed", 0)
        assert await one.metadata_hash() == before  # C libraries take it for the inode's number
        for descriptor in (one, two, other):
            descriptor.drop()


async def test_data_is_synced_and_advice_taken(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"data")
        await file.sync()
        await file.sync_data()
        await root.sync()
        for advice in ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse"):
            await file.advise(0, 4, advice)
        file.drop()
        flags = WRITE | {"file-integrity-sync", "data-integrity-sync", "requested-write-sync"}
        file = await root.open_at(NO, "file", NO, flags)
        assert file.get_flags() == flags
        assert fcntl.fcntl(file._handle.fd, fcntl.F_GETFL) & os.O_SYNC == os.O_SYNC
        assert await file.write(b"more", 0) == 4
        file.drop()


async def test_a_folder_lists_its_names_with_their_types(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("sub")
    (tmp_path / "file").touch()
    (tmp_path / "ünï").touch()
    os.mkfifo(tmp_path / "pipe")
    async with mounted(tmp_path) as root:
        assert await names(root) == {
            "sub": "directory",
            "link": "symbolic-link",
            "file": "regular-file",
            "ünï": "regular-file",
            "pipe": "fifo",
        }
        file = await root.open_at(NO, "file", NO, READ)
        assert await code(file.read_directory()) == "not-directory"
        file.drop()


async def test_listings_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    for n in range(700):  # more than are read at once
        (tmp_path / f"file-{n}").touch()
    async with mounted(tmp_path) as root:
        streams = [await root.read_directory() for _ in range(2)]
        found: list[set[str]] = [set(), set()]
        for _ in range(700):
            for stream, some in zip(streams, found, strict=True):
                some.add((await stream.read_directory_entry()).name)
        for stream in streams:
            assert await stream.read_directory_entry() is None
            assert await stream.read_directory_entry() is None
            stream.drop()
        assert found[0] == found[1] == set(listed(tmp_path))


async def test_a_name_that_is_no_text_is_an_error_and_the_others_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "good").touch()
    (tmp_path / os.fsdecode(b"\xff\xfe")).touch()
    async with mounted(tmp_path) as root:
        stream = await root.read_directory()
        seen = []
        for _ in range(3):
            try:
                entry = await stream.read_directory_entry()
                seen.append(entry and entry.name)
            except Exception as error:  # noqa: BLE001 - it is looked at
                seen.append(getattr(error, "value", error))
        assert sorted(map(str, seen)) == ["None", "good", "illegal-byte-sequence"]
        stream.drop()
