"""Paths: what leads out of the folder is refused, and everything else leads where the operating system says it does."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces.wasi.tests.folders import (
    BOTH,
    CREATE,
    FOLLOW,
    NO,
    NOW,
    READ,
    code,
    content,
    listed,
    make,
    mounted,
    open_numbers,
)
from qwasr.values import WitError
from qwasr_wasi.files.beneath import MAX_DEPTH, MAX_LINKS, MAX_PATH_BYTES, beneath
from qwasr_wasi.files.operations import status_at

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = b"what no guest may see"

ESCAPES = [
    "../outside/secret",
    "..",
    "../",
    "./..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "inner/../../outside/secret",
    "inner/deep/../../../outside/secret",
    "up",
    "up/outside/secret",
    "out/secret",
    "out",
    "out/",
    "out/.",
    "out/..",
    "to-file",
    "absolute",
    "absolute/secret",
    "absolute-file",
    "chain",
    "inner/up-two/outside/secret",
    "inner/back/out/secret",
    "sneaky",
    "self/../../outside/secret",
    "cwd/x",
    "fd/0",
    "root",
]


def lay_out(folder: Path, outside: Path) -> None:
    """Links of every kind that lead out of a folder, some through others."""
    outside.mkdir()
    (outside / "secret").write_bytes(SECRET)
    (folder / "inner" / "deep").mkdir(parents=True)
    links = {
        "up": "..",
        "out": "../outside",
        "to-file": "../outside/secret",
        "absolute": str(outside),
        "absolute-file": str(outside / "secret"),
        "chain": "chain-2",
        "chain-2": "./chain-3",
        "chain-3": "../outside/secret",
        "inner/up-two": "../..",
        "inner/back": "..",
        "sneaky": "inner/deep/../../../outside/secret",
        "self": ".",
        "cwd": "/proc/self/cwd",
        "fd": "/proc/self/fd",
        "root": "/",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)


def everything(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_nlink, status.st_mtime_ns, status.st_size)
    found["."] = (folder.stat().st_mode, folder.stat().st_mtime_ns)
    return found


@pytest.mark.parametrize("path", ESCAPES)
async def test_a_path_that_leads_out_of_the_folder_is_not_permitted(tmp_path: Path, path: str) -> None:
    lay_out(tmp_path / "folder", tmp_path / "outside")
    before = everything(tmp_path / "outside")
    async with mounted(tmp_path / "folder") as root:
        file = await make(root, "file", b"inside")
        assert await code(root.open_at(FOLLOW, path, NO, READ)) == "not-permitted"
        assert await code(root.open_at(FOLLOW, path, CREATE, BOTH)) in ("not-permitted", "is-directory")
        assert await code(root.open_at(FOLLOW, path, frozenset({"truncate"}), BOTH)) == "not-permitted"
        assert await code(root.stat_at(FOLLOW, path)) == "not-permitted"
        assert await code(root.metadata_hash_at(FOLLOW, path)) == "not-permitted"
        assert await code(root.set_times_at(FOLLOW, path, NOW, NOW)) == "not-permitted"
        assert await code(root.link_at(FOLLOW, path, root, "linked")) == "not-permitted"
        # A link's own name is inside: without following these may have an answer, but never one from outside.
        calls: list[Any] = [
            lambda: root.open_at(NO, path, NO, READ),
            lambda: root.open_at(NO, path, CREATE | {"exclusive"}, BOTH),
            lambda: root.create_directory_at(path),
            lambda: root.symlink_at("file", path),
            lambda: root.link_at(NO, "file", root, path),
            lambda: root.rename_at("missing", root, path),
            lambda: root.remove_directory_at(path),
        ]
        for call in calls:
            assert isinstance(await code(call()), str)
        file.drop()
    assert everything(tmp_path / "outside") == before


@pytest.mark.parametrize("path", ["up/x", "out/new", "absolute/new", "inner/up-two/new", "../new", "/new", "cwd/new"])
async def test_nothing_is_made_or_deleted_outside(tmp_path: Path, path: str) -> None:
    lay_out(tmp_path / "folder", tmp_path / "outside")
    async with mounted(tmp_path / "folder") as root:
        file = await make(root, "file", b"inside")
        for call in (
            root.open_at(NO, path, CREATE, BOTH),
            root.create_directory_at(path),
            root.symlink_at("file", path),
            root.link_at(NO, "file", root, path),
            root.rename_at("file", root, path),
            root.rename_at(path, root, "stolen"),
            root.unlink_file_at(path),
            root.remove_directory_at(path),
            root.readlink_at(path),
        ):
            assert await code(call) == "not-permitted"
        file.drop()
    assert listed(tmp_path) == ["folder", "outside"]
    assert listed(tmp_path / "outside") == ["secret"]


async def test_a_folder_below_the_mount_is_not_left_either(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "beside").write_bytes(b"beside")
    (tmp_path / "inner" / "link").symlink_to("../beside")
    async with mounted(tmp_path) as root:
        inner = await root.open_at(NO, "inner", frozenset({"directory"}), READ)
        assert await code(inner.open_at(FOLLOW, "../beside", NO, READ)) == "not-permitted"
        assert await code(inner.open_at(FOLLOW, "link", NO, READ)) == "not-permitted"
        linked = await root.open_at(FOLLOW, "inner/link", NO, READ)  # from here it does not leave
        assert await linked.read(100, 0) == (b"beside", False)
        linked.drop()
        inner.drop()


async def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"found")
    (tmp_path / "a" / "to-b").symlink_to("b/")
    (tmp_path / "a" / "b" / "up").symlink_to("../../a/./to-b//")
    (tmp_path / "link").symlink_to("a/to-b/up/../b/file")
    async with mounted(tmp_path) as root:
        for path in ("link", "a/to-b/file", "a/b/up/up/up/file", "./a//b/../b/file", "a/to-b/../../a/b/file"):
            file = await root.open_at(FOLLOW, path, NO, READ)
            assert await file.read(100, 0) == (b"found", False)
            file.drop()
        assert (await root.stat_at(NO, "link")).type == "symbolic-link"
        assert await code(root.open_at(NO, "link", NO, READ)) == "loop"
        assert (await root.stat_at(NO, "a/to-b/")).type == "directory"


async def test_what_is_above_a_link_to_the_folder_itself_is_above_that_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "here").symlink_to(".")
    (tmp_path / "here").symlink_to("a/.")
    (tmp_path / "top").symlink_to(".")
    async with mounted(tmp_path) as root:
        assert await root.metadata_hash_at(NO, "a/here/..") == await root.metadata_hash()
        assert await root.metadata_hash_at(NO, "here/..") == await root.metadata_hash()
        assert await code(root.stat_at(NO, "top/..")) == "not-permitted"
        assert await code(root.stat_at(NO, "a/here/../..")) == "not-permitted"


async def test_links_that_never_end_and_paths_that_are_too_long_are_refused(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "ping").symlink_to("pong/x")
    (tmp_path / "pong").symlink_to("ping/x")
    for n in range(MAX_LINKS + 1):
        (tmp_path / f"l{n}").symlink_to(f"l{n + 1}")
    (tmp_path / f"l{MAX_LINKS + 1}").touch()
    async with mounted(tmp_path) as root:
        for path in ("self", "self/x", "ping", "l0"):
            assert await code(root.stat_at(FOLLOW, path)) == "loop"
        assert (await root.stat_at(FOLLOW, "l1")).type == "regular-file"
        for path in ("x" * 256, "./" * (MAX_PATH_BYTES // 2) + "x", "é" * (MAX_PATH_BYTES // 2 + 1)):
            assert await code(root.stat_at(FOLLOW, path)) == "name-too-long"
        assert (await root.stat_at(FOLLOW, "./" * (MAX_PATH_BYTES // 2))).type == "directory"


async def test_a_path_may_lead_down_a_hundred_folders_at_once(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        folder = root
        for _ in range(3):  # deeper than that from folder to folder
            path = ""
            for _ in range(MAX_DEPTH):
                path = f"{path}d/"
                await folder.create_directory_at(path)
            path += "file"
            (await make(folder, path)).drop()
            assert await code(folder.stat_at(NO, "d/" + path)) == "name-too-long"
            inner = await folder.open_at(NO, path.removesuffix("file"), NO, READ)
            if folder is not root:
                folder.drop()
            folder = inner
        folder.drop()
    shutil.rmtree(tmp_path / "d")


async def test_a_path_without_text_is_no_entry_and_one_with_a_zero_is_invalid(tmp_path: Path) -> None:
    async with mounted(tmp_path) as root:
        assert await code(root.stat_at(FOLLOW, "")) == "no-entry"
        for path in ("a\0b", "\0", "a/\0/b"):
            for call in (root.stat_at(FOLLOW, path), root.open_at(FOLLOW, path, CREATE, BOTH)):
                assert await code(call) == "invalid"
        assert await code(root.symlink_at("a\0b", "link")) == "invalid"


def test_a_walk_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to("b/../missing/x")
    fd = os.open(tmp_path, os.O_RDONLY)
    before = open_numbers()
    for path in ("a/b/c", "a/b/c/../../link", "a/b/../../..", "missing/x", "a/b/c/d/e"):
        try:
            with beneath(fd, path, follow=True):
                pass
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.EPERM)  # noqa: PT017 - both are right, none is too
    assert open_numbers() <= before
    os.close(fd)


PARTS = st.sampled_from(["a", "b", "f", "l", "m", "..", ".", "", "missing"])
PATHS = st.lists(PARTS, min_size=1, max_size=6).map("/".join)
PLACES = ["l", "m", "a/l", "a/m", "a/b/l", "b/l"]


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def kernels_answer(fd: int, path: str, *, follow: bool) -> Any:
    """Which file a path leads to as Linux's own `openat2` with `RESOLVE_BENEATH` says, or an error's number."""
    how: Any = _How(os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW), 0, 0x08)
    libc = ctypes.CDLL(None, use_errno=True)
    opened = libc.syscall(437, fd, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    if opened < 0:
        return {errno.EXDEV: errno.EPERM}.get(ctypes.get_errno(), ctypes.get_errno())
    status = os.fstat(opened)
    os.close(opened)
    return status.st_dev, status.st_ino


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    (path / "a" / "b").mkdir(parents=True)
    (path / "b").mkdir()
    for file in ("f", "a/f", "a/b/f"):
        (path / file).touch()
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel that is asked is Linux")
@settings(deadline=None, max_examples=400)
@given(st.dictionaries(st.sampled_from(PLACES), PATHS.filter(bool), max_size=4), PATHS, st.booleans())
def test_a_path_leads_where_the_kernel_says_it_does(tree: Path, links: dict[str, str], path: str, follow: bool) -> None:
    fd = os.open(tree, os.O_RDONLY)
    try:
        for place, target in links.items():
            (tree / place).symlink_to(target)
        expected = kernels_answer(fd, path, follow=follow)
        if expected == errno.ENOSYS:
            pytest.skip("this kernel has no openat2")
        try:
            status = status_at(fd, path, follow=follow)
            answer: Any = (status.st_dev, status.st_ino)
        except OSError as error:
            answer = error.errno
        assert answer == expected
    finally:
        for place in links:
            (tree / place).unlink()
        os.close(fd)


async def test_what_is_no_file_and_no_folder_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with mounted(tmp_path) as root:
        assert (await root.stat_at(NO, "pipe")).type == "fifo"
        for flags in (READ, BOTH):
            assert await code(root.open_at(FOLLOW, "pipe", NO, flags)) == "not-permitted"


async def test_a_file_that_is_read_is_the_one_inside(tmp_path: Path) -> None:
    lay_out(tmp_path / "folder", tmp_path / "outside")
    async with mounted(tmp_path / "folder") as root:
        (await make(root, "secret", b"inside")).drop()
        assert await content(root, "secret") == b"inside"
        with pytest.raises(WitError):
            await content(root, "out/secret")
