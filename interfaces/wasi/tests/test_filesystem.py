"""wasi:filesystem: what descriptors do, and which error codes they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interfaces.wasi.tests.folders import (
    BOTH,
    CREATE,
    FOLLOW,
    NO,
    NOW,
    READ,
    WRITE,
    code,
    code_now,
    content,
    listed,
    make,
    mounted,
    names,
)

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = frozenset({"directory"})
EXCLUSIVE = frozenset({"create", "exclusive"})
U64_MAX = 2**64 - 1


async def test_a_file_that_is_made_is_written_and_read(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await root.open_at(NO, "file", CREATE, BOTH)
        assert await file.write(b"hello world", 0) == 11
        assert await file.write(b"W", 6) == 1
        assert await file.read(5, 6) == (b"World", False)
        assert await file.read(100, 6) == (b"World", False)
        assert await file.read(100, 11) == (b"", True)
        assert await file.read(0, 0) == (b"", True)
        file.drop()
    assert (tmp_path / "file").read_bytes() == b"hello World"


async def test_what_is_written_behind_the_end_leaves_zeroes_between(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"a")
        await file.write(b"b", 3)
        assert await file.read(10, 0) == (b"a\0\0b", False)
        file.drop()


async def test_one_read_is_at_most_64_kib(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file")
        await file.set_size(10**6)
        data, end = await file.read(U64_MAX, 0)
        assert (len(data), end) == (65_536, False)
        file.drop()


async def test_offsets_and_sizes_that_no_file_has_are_refused(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        file = await make(root, "file", b"x")
        assert await code(file.read(1, U64_MAX)) == "invalid"
        assert await code(file.write(b"x", U64_MAX)) == "file-too-large"
        assert await code(file.write(b"xx", 2**63 - 2)) == "file-too-large"
        assert await code(file.set_size(U64_MAX)) == "file-too-large"
        assert await code(file.advise(U64_MAX, 0, "normal")) == "invalid"
        assert (await file.stat()).size == 1
        file.drop()


async def test_a_descriptor_is_used_for_what_it_was_opened_for(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        (await make(root, "file", b"data")).drop()
        reader = await root.open_at(NO, "file", NO, READ)
        writer = await root.open_at(NO, "file", NO, WRITE)
        neither = await root.open_at(NO, "file", NO, NO)
        for descriptor in (reader, neither):
            assert await code(descriptor.write(b"x", 0)) == "bad-descriptor"
            assert await code(descriptor.set_size(0)) == "bad-descriptor"
            assert code_now(descriptor.write_via_stream, 0) == "bad-descriptor"
            assert code_now(descriptor.append_via_stream) == "bad-descriptor"
        for descriptor in (writer, neither):
            assert await code(descriptor.read(1, 0)) == "bad-descriptor"
            assert code_now(descriptor.read_via_stream, 0) == "bad-descriptor"
        assert (reader.get_flags(), writer.get_flags(), neither.get_flags()) == (READ, WRITE, NO)
        for descriptor in (reader, writer, neither):
            assert (await descriptor.stat()).size == 4
            descriptor.drop()
    assert (tmp_path / "file").read_bytes() == b"data"


async def test_a_folder_is_neither_read_nor_written(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    async with mounted(tmp_path) as root:
        for call in (root.read(1, 0), root.write(b"x", 0), root.set_size(0)):
            assert await code(call) == "is-directory"
        for function in (root.read_via_stream, root.write_via_stream):
            assert code_now(function, 0) == "is-directory"
        for flags in (WRITE, BOTH):
            assert await code(root.open_at(NO, "sub", NO, flags)) == "is-directory"
            assert await code(root.open_at(NO, "sub", CREATE, flags)) == "is-directory"
        assert await code(root.open_at(NO, "sub", frozenset({"truncate"}), READ)) == "is-directory"


@pytest.mark.parametrize(
    ("path", "how", "expected"),
    [
        ("missing", NO, "no-entry"),
        ("missing/x", CREATE, "no-entry"),
        ("file/x", CREATE, "not-directory"),
        ("file", DIRECTORY, "not-directory"),
        ("file/", NO, "not-directory"),
        ("file/.", NO, "not-directory"),
        ("file", EXCLUSIVE, "exist"),
        ("link", EXCLUSIVE, "exist"),
        ("dangling", EXCLUSIVE, "exist"),
        ("sub", EXCLUSIVE, "exist"),
        ("new/", CREATE, "is-directory"),
        ("new", CREATE | DIRECTORY, "invalid"),
        ("sub", DIRECTORY | {"truncate"}, "invalid"),
    ],
)
async def test_what_cannot_be_opened_says_why(tmp_path: Path, path: str, how: frozenset[str], expected: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    async with mounted(tmp_path) as root:
        (await make(root, "file")).drop()
        assert await code(root.open_at(FOLLOW, path, how, READ)) == expected
    assert listed(tmp_path) == ["dangling", "file", "link", "sub"]


async def test_a_file_is_truncated_and_made_as_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("made")
    async with mounted(tmp_path) as root:
        (await make(root, "file", b"long")).drop()
        (await root.open_at(NO, "file", CREATE, READ)).drop()
        assert await content(root, "file") == b"long"
        (await root.open_at(NO, "file", frozenset({"truncate"}), READ)).drop()
        assert await content(root, "file") == b""
        (await root.open_at(NO, "exclusive", EXCLUSIVE, WRITE)).drop()
        (await root.open_at(FOLLOW, "dangling", CREATE, WRITE)).drop()
        assert await names(root) == {
            "dangling": "symbolic-link",
            "exclusive": "regular-file",
            "file": "regular-file",
            "made": "regular-file",
        }
        assert await code(root.open_at(NO, "dangling", CREATE, WRITE)) == "loop"


async def test_a_mount_without_rw_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "sub").mkdir()
    async with mounted(tmp_path, "ro") as root:
        file = await root.open_at(NO, "file", NO, READ)
        calls: list[Any] = [
            root.open_at(NO, "file", NO, WRITE),
            root.open_at(NO, "new", CREATE, READ),
            root.open_at(NO, "file", frozenset({"truncate"}), READ),
            root.open_at(NO, "sub", NO, READ | {"mutate-directory"}),
            root.set_times(NOW, NOW),
            root.set_times_at(NO, "file", NOW, NOW),
            file.set_times(NOW, NOW),
            root.create_directory_at("new"),
            root.remove_directory_at("sub"),
            root.unlink_file_at("file"),
            root.symlink_at("file", "new"),
            root.link_at(NO, "file", root, "new"),
            root.rename_at("file", root, "new"),
        ]
        for call in calls:
            assert await code(call) == "read-only"
        sub = await root.open_at(NO, "sub", DIRECTORY, READ)
        assert sub.get_flags() == READ
        assert await code(sub.create_directory_at("new")) == "read-only"
        assert await file.read(10, 0) == (b"data", False)
        sub.drop()
        file.drop()
    assert listed(tmp_path) == ["file", "sub"]


async def test_a_writable_folder_stays_writable_when_it_is_opened_below_the_mount(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    async with mounted(tmp_path) as root:
        sub = await root.open_at(NO, "sub", DIRECTORY, READ)
        assert sub.get_flags() == READ | {"mutate-directory"}
        (await make(sub, "file", b"x")).drop()
        sub.drop()
    assert (tmp_path / "sub" / "file").read_bytes() == b"x"


async def test_nothing_goes_from_one_mount_into_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with mounted(tmp_path / "a") as one, mounted(tmp_path / "b") as two, mounted(tmp_path / "b", "ro") as fixed:
        (await make(one, "file")).drop()
        assert await code(one.rename_at("file", two, "file")) == "cross-device"
        assert await code(one.link_at(NO, "file", two, "file")) == "cross-device"
        assert await code(one.link_at(NO, "file", fixed, "file")) == "read-only"
