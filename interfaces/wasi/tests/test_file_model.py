"""Files against a model: the operating system itself, which does the same in a folder beside, without a sandbox."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces.wasi.tests.folders import BOTH, CREATE, FOLLOW, NO, closed, mount_of, mounted, names
from qwasr.values import WitError
from qwasr_wasi.files.codes import code_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAMES = st.sampled_from(["a", "b"])
# No link says "..", no path begins with it or goes up twice: the model has no sandbox that it could not leave.
TARGETS = st.lists(NAMES, min_size=1, max_size=2).map("/".join)
PATHS = NAMES | st.builds(
    lambda first, rest: "/".join((first, *rest)), NAMES, st.lists(NAMES | st.sampled_from([".", ".."]), max_size=2)
).filter(lambda path: path.count("..") < 2)
NUMBERS = st.integers(0, 50)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["hold", "unlink"]), NAMES),
    st.tuples(st.sampled_from(["mkdir", "rmdir", "unlink", "stat", "lstat", "list", "readlink", "hold"]), PATHS),
    st.tuples(st.just("symlink"), TARGETS, PATHS),
    st.tuples(st.sampled_from(["rename", "link"]), PATHS, PATHS),
    st.tuples(st.just("write"), PATHS, NUMBERS, st.binary(max_size=20)),
    st.tuples(st.just("truncate"), PATHS, NUMBERS),
    st.tuples(st.sampled_from(["drop", "read held"]), NUMBERS),
    st.tuples(st.just("write held"), NUMBERS, NUMBERS, st.binary(max_size=20)),
)


class Native:
    """Does it with the operating system's own calls, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: list[int] = []

    def do(self, what: str, *arguments: Any) -> Any:
        step: Callable[..., Any] = getattr(self, what.replace(" ", "_"))
        try:
            return step(*arguments)
        except OSError as error:
            return code_of(error)

    def path(self, path: str) -> str:
        return f"{self.folder}/{path}"

    def mkdir(self, path: str) -> None:
        os.mkdir(self.path(path))  # noqa: PTH102 - pathlib takes a ".." away

    def rmdir(self, path: str) -> None:
        os.rmdir(self.path(path))  # noqa: PTH106

    def unlink(self, path: str) -> None:
        os.unlink(self.path(path))  # noqa: PTH108

    def stat(self, path: str) -> Any:
        return seen(os.stat(self.path(path)))  # noqa: PTH116

    def lstat(self, path: str) -> Any:
        return seen(os.lstat(self.path(path)))

    def list(self, path: str) -> Any:
        return sorted(os.listdir(self.path(path)))  # noqa: PTH208

    def readlink(self, path: str) -> str:
        return os.readlink(self.path(path))  # noqa: PTH115

    def symlink(self, target: str, path: str) -> None:
        os.symlink(target, self.path(path))  # noqa: PTH211 - as above

    def rename(self, path: str, new: str) -> None:
        os.rename(self.path(path), self.path(new))  # noqa: PTH104

    def link(self, path: str, new: str) -> None:
        os.link(self.path(path), self.path(new), follow_symlinks=False)

    def hold(self, path: str) -> None:
        self.held.append(os.open(self.path(path), os.O_RDWR | os.O_CREAT))

    def write(self, path: str, offset: int, data: bytes) -> int:
        fd = os.open(self.path(path), os.O_RDWR | os.O_CREAT)
        try:
            return os.pwrite(fd, data, offset)
        finally:
            os.close(fd)

    def truncate(self, path: str, size: int) -> None:
        fd = os.open(self.path(path), os.O_WRONLY)
        try:
            os.ftruncate(fd, size)
        finally:
            os.close(fd)

    def drop(self, which: int) -> None:
        if self.held:
            os.close(self.held.pop(which % len(self.held)))

    def read_held(self, which: int) -> bytes | None:
        return os.pread(self.held[which % len(self.held)], 1000, 0) if self.held else None

    def write_held(self, which: int, offset: int, data: bytes) -> int | None:
        return os.pwrite(self.held[which % len(self.held)], data, offset) if self.held else None


class Guest:
    """Does it as a guest does, by descriptors."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.held: list[Any] = []

    async def do(self, what: str, *arguments: Any) -> Any:
        root = self.root
        simple: dict[str, Callable[..., Awaitable[Any]]] = {
            "mkdir": root.create_directory_at,
            "rmdir": root.remove_directory_at,
            "unlink": root.unlink_file_at,
            "readlink": root.readlink_at,
            "symlink": root.symlink_at,
            "rename": lambda path, new: root.rename_at(path, root, new),
            "link": lambda path, new: root.link_at(NO, path, root, new),
        }
        step = simple.get(what) or getattr(self, what.replace(" ", "_"))
        try:
            return await step(*arguments)
        except WitError as error:
            return error.value

    async def stat(self, path: str) -> Any:
        return shown(await self.root.stat_at(FOLLOW, path))

    async def lstat(self, path: str) -> Any:
        return shown(await self.root.stat_at(NO, path))

    async def list(self, path: str) -> Any:
        folder = await self.root.open_at(FOLLOW, path, frozenset({"directory"}), NO)
        try:
            return sorted(await names(folder))
        finally:
            folder.drop()

    async def hold(self, path: str) -> None:
        self.held.append(await self.root.open_at(FOLLOW, path, CREATE, BOTH))

    async def write(self, path: str, offset: int, data: bytes) -> Any:
        file = await self.root.open_at(FOLLOW, path, CREATE, BOTH)
        try:
            return await file.write(data, offset)
        finally:
            file.drop()

    async def truncate(self, path: str, size: int) -> None:
        file = await self.root.open_at(FOLLOW, path, NO, frozenset({"write"}))
        try:
            await file.set_size(size)
        finally:
            file.drop()

    async def drop(self, which: int) -> None:
        if self.held:
            self.held.pop(which % len(self.held)).drop()

    async def read_held(self, which: int) -> Any:
        return (await self.held[which % len(self.held)].read(1000, 0))[0] if self.held else None

    async def write_held(self, which: int, offset: int, data: bytes) -> Any:
        return await self.held[which % len(self.held)].write(data, offset) if self.held else None


def seen(status: os.stat_result) -> Any:
    is_folder = stat.S_ISDIR(status.st_mode)
    return kind_of(status.st_mode), status.st_nlink, None if is_folder else status.st_size


def shown(status: Any) -> Any:
    return status.type, status.link_count, None if status.type == "directory" else status.size


def tree(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


async def compare(base: Path, steps: list[tuple[Any, ...]]) -> None:
    for name in ("native", "guest"):
        (base / name).mkdir()
    native = Native(base / "native")
    async with mounted(base / "guest", max_bytes=10**9) as root:
        guest = Guest(root)
        mount = mount_of(root)
        for step in steps:
            assert await guest.do(*step) == native.do(*step), step
        counted = tree(base / "guest")
        assert counted == tree(base / "native")
        await closed(root, len(guest.held))
        for held in [*guest.held, None]:  # what is deleted and open counts until it is closed
            used = mount.ledger.used_bytes
            never_counted = mount.ledger._counted_at is None
            mount.ledger._count()
            assert never_counted or used == mount.ledger.used_bytes
            if held is not None:
                before = mount.mounts.places.taken
                held.drop()
                await closed(root, before - 1)
        for fd in native.held:
            os.close(fd)


@settings(deadline=None, max_examples=150)
@given(st.lists(STEPS, max_size=25))
def test_whatever_a_guest_does_is_what_the_operating_system_does(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as base:
        asyncio.run(compare(Path(base), steps))
