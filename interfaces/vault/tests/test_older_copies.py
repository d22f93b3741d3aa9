"""The encrypted file is put back to what it once was."""

from __future__ import annotations

from pathlib import Path

import pytest

from interfaces.vault.tests.files import generation_of, opened, put
from qwasr_vault.errors import Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def test_an_older_copy_is_refused_while_the_vault_is_open(path: Path) -> None:
    file = opened(path)
    put(file, "name", b"old")
    older = path.read_bytes()
    put(file, "name", b"new")
    path.write_bytes(older)
    with pytest.raises(Unavailable, match=r"older copy \(generation 2, the last was 3\)"):
        file.read()
    with pytest.raises(Unavailable, match="older copy"):
        put(file, "other", b"value")


def test_an_older_copy_is_refused_when_the_vault_is_opened(path: Path) -> None:
    file = opened(path)
    put(file, "name", b"old")
    older = path.read_bytes()
    put(file, "name", b"new")
    path.write_bytes(older)
    with pytest.raises(Unavailable, match="older copy"):
        opened(path)


def test_an_older_copy_with_its_generation_is_refused_by_who_has_seen_a_newer_one(path: Path) -> None:
    writer, reader = opened(path), opened(path)
    older = path.read_bytes(), generation_of(path).read_bytes()
    put(writer, "name", b"new")
    reader.read()
    path.write_bytes(older[0])
    generation_of(path).write_bytes(older[1])
    for file in (writer, reader):
        with pytest.raises(Unavailable, match="older copy"):
            file.read()


def test_an_older_copy_is_refused_on_whatever_disk_the_generation_is(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = opened(path, generation_dir=elsewhere)
    folder = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    put(file, "name", b"new")
    for each, data in folder.items():
        each.write_bytes(data)
    with pytest.raises(Unavailable, match="older copy"):
        opened(path, generation_dir=elsewhere)


def test_without_its_generation_a_vault_is_refused(path: Path) -> None:
    put(opened(path), "name", b"value")
    generation_of(path).unlink()
    with pytest.raises(Unavailable, match="VAULT_ACCEPT_OLDER"):
        opened(path)


def test_a_vault_with_the_generation_of_another_is_refused(path: Path, tmp_path: Path) -> None:
    opened(path)
    opened(tmp_path / "other")
    generation_of(path).write_bytes(generation_of(tmp_path / "other").read_bytes())
    with pytest.raises(Unavailable, match="another vault's"):
        opened(path)


def test_a_vault_that_was_deleted_is_not_made_anew(path: Path) -> None:
    put(opened(path), "name", b"value")
    path.unlink()
    with pytest.raises(Unavailable, match="gone"):
        opened(path)
    assert not path.exists()


def test_an_older_copy_that_is_accepted_is_the_vault(path: Path) -> None:
    file = opened(path)
    put(file, "name", b"old")
    older = path.read_bytes()
    put(file, "name", b"new")
    path.write_bytes(older)
    assert opened(path, accept_older=True).read() == {"locker": {"name": b"old"}}
    assert opened(path).read() == {"locker": {"name": b"old"}}


def test_what_was_given_up_for_an_older_copy_cannot_come_back(path: Path) -> None:
    file = opened(path)
    older = path.read_bytes()
    put(file, "name", b"given up")
    newer = path.read_bytes()
    path.write_bytes(older)
    opened(path, accept_older=True)
    path.write_bytes(newer)
    with pytest.raises(Unavailable, match="older copy"):
        opened(path)


@pytest.mark.parametrize("damaged", [False, True])
def test_what_was_given_up_cannot_come_back_when_nobody_knew_the_generation(path: Path, damaged: bool) -> None:
    file = opened(path)
    put(file, "name", b"kept")
    older = path.read_bytes()
    put(file, "name", b"given up")
    newer = path.read_bytes()
    path.write_bytes(older)
    if damaged:
        generation_of(path).write_bytes(b"{}")
    else:
        generation_of(path).unlink()
    assert opened(path, accept_older=True).read() == {"locker": {"name": b"kept"}}
    path.write_bytes(newer)
    with pytest.raises(Unavailable, match="older copy"):
        opened(path)


def test_accepting_an_older_copy_where_there_is_none_changes_nothing(path: Path) -> None:
    put(opened(path), "name", b"value")
    before = path.read_bytes()
    opened(path, accept_older=True)
    assert path.read_bytes() == before


def test_accepting_an_older_copy_needs_the_key(path: Path) -> None:
    opened(path)
    with pytest.raises(Unavailable, match="another key"):
        opened(path, key=b"\1" * 32, accept_older=True)
