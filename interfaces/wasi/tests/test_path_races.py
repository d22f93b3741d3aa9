"""Races: a component of the path becomes a link that leads outside, at every instant of a call."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.wasi.tests.folders import BOTH, CREATE, FOLLOW, NO, NOW, READ, done, make, mounted
from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM_CALLS = ["open", "readlink", "lstat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "utime"]
INSTANTS = range(8)

CALLS: dict[str, Callable[[Any], Any]] = {
    "open": lambda root: root.open_at(FOLLOW, "sub/deep/file", NO, READ),
    "make": lambda root: root.open_at(FOLLOW, "sub/deep/new", CREATE, BOTH),
    "truncate": lambda root: root.open_at(FOLLOW, "sub/deep/file", frozenset({"truncate"}), BOTH),
    "stat": lambda root: root.stat_at(FOLLOW, "sub/deep/file"),
    "hash": lambda root: root.metadata_hash_at(FOLLOW, "sub/deep/file"),
    "times": lambda root: root.set_times_at(FOLLOW, "sub/deep/file", NOW, NOW),
    "folder": lambda root: root.create_directory_at("sub/deep/new"),
    "remove folder": lambda root: root.remove_directory_at("sub/deep/empty"),
    "unlink": lambda root: root.unlink_file_at("sub/deep/file"),
    "symlink": lambda root: root.symlink_at("x", "sub/deep/new"),
    "readlink": lambda root: root.readlink_at("sub/deep/link"),
    "link from": lambda root: root.link_at(FOLLOW, "sub/deep/file", root, "linked"),
    "link to": lambda root: root.link_at(FOLLOW, "here", root, "sub/deep/new"),
    "rename from": lambda root: root.rename_at("sub/deep/file", root, "renamed"),
    "rename to": lambda root: root.rename_at("here", root, "sub/deep/new"),
    "through a link": lambda root: root.open_at(FOLLOW, "way/file", NO, READ),
}


class Scene:
    """A folder with `sub/deep/file` in it, and a folder outside with the same names."""

    def __init__(self, base: Path) -> None:
        self.inside, self.outside, self.aside = base / "inside", base / "outside", base / "aside"
        for folder, word in ((self.inside / "sub", "inside"), (self.outside, "outside")):
            (folder / "deep" / "empty").mkdir(parents=True)
            (folder / "deep" / "file").write_text(word)
            (folder / "deep" / "link").symlink_to(word)
        (self.inside / "here").touch()
        (self.inside / "way").symlink_to("sub/deep")
        self.before = self.state()

    def state(self) -> list[Any]:
        """All there is outside, with all that a guest could change of it."""
        paths = [self.outside, *sorted(self.outside.rglob("*"))]
        found = [(str(path), path.lstat()) for path in paths]
        return [(path, s.st_ino, s.st_nlink, s.st_size, s.st_mtime_ns) for path, s in found]

    def swap(self, component: str) -> None:
        """Put a link that leads outside where the component was."""
        path = self.inside / component
        path.rename(self.aside)
        path.symlink_to(self.outside / Path(component).relative_to("sub") if component != "sub" else self.outside)


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("component", ["sub", "sub/deep", "sub/deep/file"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_component_that_becomes_a_link_during_a_call_leads_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, component: str, instant: int
) -> None:
    scene = Scene(tmp_path)
    made = 0

    def watched(call: Any) -> Any:
        def system_call(*args: Any, **named: Any) -> Any:
            nonlocal made
            if threading.current_thread() is not threading.main_thread():
                made += 1
                if made == instant + 1:
                    made += 100  # what follows is not watched
                    scene.swap(component)
            return call(*args, **named)

        return system_call

    async with mounted(scene.inside) as root:
        with monkeypatch.context() as patch:
            for call in SYSTEM_CALLS:
                patch.setattr(os, call, watched(getattr(os, call)))
            try:
                result = await CALLS[name](root)
            except WitError as error:
                assert error.value in ("no-entry", "not-directory", "loop", "not-permitted")  # noqa: PT017
                result = None
        if name in ("open", "through a link"):
            assert result is None or await result.read(100, 0) == (b"inside", False)
        if name == "readlink":
            assert result in (None, "inside")
        if hasattr(result, "drop"):
            result.drop()
    assert scene.state() == scene.before


def test_such_a_swap_does_fool_a_path_that_is_checked_and_then_used(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    path = scene.inside / "sub" / "deep" / "file"
    assert path.resolve().is_relative_to(scene.inside.resolve())
    scene.swap("sub")
    assert path.read_text() == "outside"


async def test_a_folder_that_is_swapped_all_the_time_shows_no_guest_what_is_outside(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    sub, link = scene.inside / "sub", tmp_path / "to-outside"
    link.symlink_to(scene.outside)
    over = threading.Event()

    def swap_on_and_on() -> None:
        while not over.is_set():
            sub.rename(scene.aside)
            link.rename(sub)
            sub.rename(link)
            scene.aside.rename(sub)

    swapper = threading.Thread(target=swap_on_and_on)
    async with mounted(scene.inside) as root:
        (await make(root, "mine")).drop()
        swapper.start()
        seen = set()
        try:
            for _ in range(400):
                for call in (CALLS["open"], CALLS["make"], CALLS["truncate"], CALLS["folder"], CALLS["unlink"]):
                    try:
                        result = await done(call(root))
                    except WitError as error:
                        seen.add(error.value)
                        continue
                    if result is not None:
                        data, _ = await result.read(100, 0)
                        seen.add(data)
                        result.drop()
        finally:
            over.set()
            swapper.join()
    assert b"outside" not in seen
    assert scene.state() == scene.before
