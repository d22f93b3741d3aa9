"""A C program that works with files finds what its native build finds, and leaves behind what that leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.commands.tools import Tools

SCRIPTS = {
    "reading and writing": """\
write f hello
read f 0 100
read f 2 2
read f 2 0
read f 9 9
at f J 0
at f end 8
append f more
append new first
read f 0 100
create f x
create g x
truncate f 3
read f 0 100
truncate f 6
stat f
read missing 0 1
write missing/f x
write f/x x
at missing x 0
truncate . 0
copy f h
copy missing h
same f h
same f f
ls .""",
    "records in one file": """\
write f abcdefghijklmnopqrstuvwxyz
mix f
read f 0 100
mix f
read f 0 100
mix missing""",
    "folders": """\
mkdir a
mkdir a
mkdir a/b
mkdir a/b/c/d
mkdir a/b/c/
mkdir x/y
write a/f text
ls a
ls .
ls a/f
ls missing
rmdir a
rmdir a/f
rmdir missing
rmdir a/b/c
unlink a
unlink a/f
unlink a/f
rmdir a/b/
stat a/..
stat a/./../a//
stat a/missing/..
ls a/../a
lstat a
access a
access b""",
    "renaming": """\
mkdir a
mkdir b
mkdir b/x
write f 1
write g 22
rename f g
read g 0 10
rename g a
rename a g
rename a b
rename b b/x/y
rename missing c
rename g a/g
ls a
rename a/g ./h
rename h h
rename b a
ls a
rename a a/
ls .""",
    "links": """\
write f text
mkdir d
symlink f soft
symlink d way
symlink soft softer
symlink nothing dangling
symlink loop loop
symlink ../f d/up
symlink x f
readlink soft
readlink f
readlink missing
read softer 0 9
read d/up 0 9
read way/up 0 9
read loop 0 1
read dangling 0 1
stat softer
lstat softer
stat loop
lstat loop
stat dangling
ls way
ls way/
unlink way/
rmdir way
write dangling made
read nothing 0 9
create soft x
link f hard
link f hard
link soft hard-2
link missing x
link d x
stat f
stat hard
same f hard
same f soft
same f d
unlink hard
stat f
rename soft moved
readlink moved
touch softer 1234
stat f
touch-link moved 77
unlink moved
ls .""",
    "times": """\
write f x
touch f 1000
stat f
mkdir d
touch d 2000
stat d
touch missing 5
symlink f l
touch l 3000
stat f
touch-link l 4000
lstat l
stat f""",
}


def tree(folder: Path) -> dict[str, Any]:
    """What there is in a folder: kinds, contents, what links say, and times that were set."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content: Any = path.readlink()
        else:
            content = path.read_bytes() if path.is_file() else listed(path)
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_nlink, content)
    return found


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_program_finds_files_as_its_native_build_does(tools: Tools, script: str) -> None:
    native = tools.native("files", stdin=script.encode())
    left_behind = tree(tools.folder)
    emptied(tools.folder)
    guest = await tools.guest("files", stdin=script.encode())
    assert guest.out.decode().splitlines() == native.out.decode().splitlines()
    assert (guest.code, guest.err) == (native.code, native.err) == (0, b"")
    assert tree(tools.folder) == left_behind
    assert script.count("\n") + 1 == guest.out.count(b"\n")


async def test_a_program_copies_a_file_of_several_pieces_byte_by_byte(tools: Tools) -> None:
    data = bytes(range(256)) * 1000
    (tools.folder / "f").write_bytes(data)
    outcome = await tools.guest("files", stdin=b"copy f g\n")
    assert outcome.out == b"copy f g: 256000 done\n"
    assert (tools.folder / "g").read_bytes() == data


async def test_a_program_does_not_get_out_of_its_folder(tools: Tools) -> None:
    beside = tools.folder.parent / "beside"
    beside.mkdir()
    (beside / "secret").write_text("secret")
    (tools.folder / "out").symlink_to("../beside")
    (tools.folder / "absolute").symlink_to(beside)
    lines = []
    for path in ("../beside/secret", "out/secret", "absolute/secret", "a/../../beside/secret"):
        lines += [f"read {path} 0 100", f"write {path} x", f"stat {path}", f"unlink {path}", f"rename {path} x"]
        lines += [f"link {path} x", f"mkdir {path}-new", f"symlink x {path}-new", f"ls {path}", f"copy {path} x"]
    (tools.folder / "a").mkdir()
    outcome = await tools.guest("files", stdin="\n".join(lines).encode())
    answers = {line.rpartition(": ")[2] for line in outcome.out.decode().splitlines()}
    assert answers <= {"EPERM", "ENOENT"}  # ENOENT where the C library itself goes above the root
    assert len(outcome.out.splitlines()) == len(lines)
    assert (listed(beside), (beside / "secret").read_text()) == (["secret"], "secret")
    assert listed(tools.folder) == ["a", "absolute", "out"]


def run(tools: Tools, script: str, *flags: str, **variables: str) -> list[str]:
    """What each line of a script came to, in a process of its own."""
    command = tools.command("files", flags=flags)
    environ = tools.environ(**variables)
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=True, env=environ, timeout=30)
    return [line.rpartition(" ")[2] for line in done.stdout.decode().splitlines()]


def test_a_folder_holds_as_much_as_it_may(tools: Tools) -> None:
    (tools.folder / "big").write_bytes(bytes(10_000))
    script = "write a 0123456789\ncopy big b\nunlink big\nat a x 20000\ncopy a b"
    answers = run(tools, script, QWASR_MOUNT_MAX_BYTES="16000")
    assert answers == ["done", "EDQUOT", "done", "EDQUOT", "done"]


def test_a_mount_of_a_flag_is_read_only_without_rw(tools: Tools) -> None:
    (tools.folder / "f").write_text("text")
    script = "read f 0 9\nwrite f x\nmkdir d\nunlink f\nrename f g\nsymlink f l\ntouch f 1"
    assert run(tools, script, "--mount", f"{tools.folder}:/") == ["done", *["EROFS"] * 6]


def test_two_mounts_are_two_file_systems(tools: Tools) -> None:
    for name in ("one", "two"):
        (tools.folder / name).mkdir()
    flags = [word for name in ("one", "two") for word in ("--mount", f"{tools.folder / name}:/{name}:rw")]
    script = "write one/f x\nrename one/f two/f\nlink one/f two/f\ncopy one/f two/f\nunlink one/f\nread f 0 1"
    assert run(tools, script, *flags) == ["done", "EXDEV", "EXDEV", "done", "done", "ENOENT"]
    assert (listed(tools.folder / "one"), listed(tools.folder / "two")) == ([], ["f"])


def test_a_mount_that_is_not_there_ends_the_command_before_it_begins(tools: Tools) -> None:
    command = tools.command("files", flags=("--mount", f"{tools.folder}/missing:/data"))
    done = subprocess.run(command, input=b"", capture_output=True, check=False, env=tools.environ(), timeout=30)
    assert done.returncode == 2
    assert b"cannot be mounted: No such file or directory" in done.stderr
