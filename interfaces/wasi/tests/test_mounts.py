"""Mounts: how they are written, what is refused, what is opened and closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.wasi.tests.folders import NO, READ, fixed_system, mounted, open_numbers
from qwasr.errors import ConfigurationError, OptionError
from qwasr_wasi.files.mounts import MAX_MOUNTS, MountSpec, parse_mounts
from qwasr_wasi.system import System, SystemOptions


@pytest.mark.parametrize(
    ("text", "host", "guest", "writable"),
    [
        ("./data:/data", "data", "/data", False),
        ("/srv/data:/data:rw", "/srv/data", "/data", True),
        ("/srv/data:/data:ro", "/srv/data", "/data", False),
        (".:/", ".", "/", False),
        ("odd:name:/data:rw", "odd:name", "/data", True),
        ("data:/a/b/", "data", "/a/b", False),
        ("rw:/rw", "rw", "/rw", False),
        ("data:/rw:rw", "data", "/rw", True),
    ],
)
def test_a_mount_is_host_guest_and_rw_where_guests_may_write(text: str, host: str, guest: str, writable: bool) -> None:
    assert parse_mounts([text]) == (MountSpec(Path(host), guest, writable),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data",
        ":/data",
        "data:",
        "data:data",
        "data:rw",
        "data:/data:wr",
        "data:/data:RW",
        ":rw",
        "::",
        "rw",
        ":/x:rw",
    ],
)
def test_what_is_no_mount_says_how_one_is_written(text: str) -> None:
    with pytest.raises(OptionError, match=r"QWASR_MOUNTS: .* is not host:guest"):
        parse_mounts([text])


@pytest.mark.parametrize("guest", ["/a/../b", "/a//b", "/./a", "/..", "/a/.", "/\x1b[2J", "/" + "x" * 1024])
def test_a_guests_path_is_written_as_it_is_meant(guest: str) -> None:
    with pytest.raises(OptionError, match="QWASR_MOUNTS: the guest's path"):
        parse_mounts([f"data:{guest}"])


def test_two_mounts_have_two_names() -> None:
    with pytest.raises(OptionError, match="two mounts are called '/data'"):
        parse_mounts(["a:/data", "b:/data/:rw"])


def test_there_is_an_end_to_the_number_of_mounts() -> None:
    texts = [f"data:/{n}" for n in range(MAX_MOUNTS + 1)]
    assert len(parse_mounts(texts[1:])) == MAX_MOUNTS
    with pytest.raises(OptionError, match="64 are the most"):
        parse_mounts(texts)


@given(st.lists(st.text(alphabet=":/.rwo\x00 a\n", max_size=12), max_size=3))
def test_a_text_is_a_mount_or_an_error_of_its_variable(texts: list[str]) -> None:
    try:
        mounts = parse_mounts(texts)
    except OptionError as error:
        assert "QWASR_MOUNTS" in str(error)  # noqa: PT017 - one of two outcomes
    else:
        assert all(mount.guest.startswith("/") and str(mount.host) for mount in mounts)


def test_a_wrong_mount_is_an_error_of_the_options() -> None:
    with pytest.raises(OptionError, match="QWASR_MOUNTS"):
        SystemOptions.from_env({"QWASR_MOUNTS": "a:/a,b"})
    assert SystemOptions.from_env({"QWASR_MOUNTS": "a:/a,b:/b:rw"}).mounts == ("a:/a", "b:/b:rw")


def test_guests_leave_three_quarters_of_the_open_files_to_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwasr_wasi.system.open_files_limit", lambda: 256)
    places = System(SystemOptions(mount_max_open=1000)).mounts.places
    assert places._most == 64
    assert System(SystemOptions(mount_max_open=10)).mounts.places._most == 10


async def test_a_folder_that_is_not_there_cannot_be_mounted(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match=r"QWASR_MOUNTS: .* cannot be mounted"):
            await System.connect(SystemOptions(mounts=(f"{path}:/data",)))


async def test_a_folder_that_may_not_be_written_is_not_mounted_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may do everything
    with pytest.raises(ConfigurationError, match=r"may not write to .*; mount it without rw"):
        await System.connect(SystemOptions(mounts=(f"{tmp_path}:/data:rw",)))


async def test_a_folder_that_cannot_be_mounted_leaves_nothing_open(tmp_path: Path) -> None:
    before = open_numbers()
    with pytest.raises(ConfigurationError):
        await System.connect(SystemOptions(mounts=(f"{tmp_path}:/a", f"{tmp_path}/missing:/b")))
    assert open_numbers() <= before


async def test_guests_are_given_the_folders_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from qwasr_wasi.filesystem import Preopens

    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    system = fixed_system(f"{tmp_path}/two:/z:rw", f"{tmp_path}/one:/a")
    backends: Any = SimpleNamespace(default=system)
    given = Preopens(backends).get_directories()
    assert [name for _, name in given] == ["/z", "/a"]
    assert [sorted(folder.get_flags()) for folder, _ in given] == [["mutate-directory", "read"], ["read"]]
    for folder, _ in given:
        folder.drop()
    await system.close()


async def test_a_mounted_folder_stays_the_one_it_was_when_it_is_moved(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside").touch()
    async with mounted(folder) as root:
        folder.rename(tmp_path / "moved")
        folder.mkdir()
        file = await root.open_at(NO, "inside", NO, READ)
        file.drop()


async def test_a_system_that_is_closed_leaves_nothing_open(tmp_path: Path) -> None:
    before = open_numbers()
    system = await System.connect(SystemOptions(mounts=(f"{tmp_path}:/data:rw",)))
    assert open_numbers() > before
    await system.close()
    assert open_numbers() <= before
