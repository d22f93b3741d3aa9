"""The encrypted file on the disk: crashes, other processes, odd things in its place."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from interfaces.vault.tests.files import KEY, opened, put
from qwasr_vault import _vault_file, _whole_files
from qwasr_vault._sealed import MAX_FILE_BYTES
from qwasr_vault._vault_file import VaultFile
from qwasr_vault.errors import AccessDenied, TooLarge, Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@contextmanager
def lock_of(path: Path) -> Iterator[None]:
    """Hold the lock as another process does: it belongs to the open file."""
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_secrets_are_there_when_the_file_is_opened_again(path: Path) -> None:
    put(opened(path), "name", b"value")
    assert opened(path).read() == {"locker": {"name": b"value"}}


def test_a_passphrase_opens_its_file_and_another_does_not(path: Path) -> None:
    put(VaultFile(path, b"correct horse battery", passphrase=True), "name", b"value")
    assert VaultFile(path, b"correct horse battery", passphrase=True).read() == {"locker": {"name": b"value"}}
    with pytest.raises(Unavailable, match="another key"):
        VaultFile(path, b"correct horse batterx", passphrase=True)


def test_another_key_is_told_from_damage_and_changes_nothing(path: Path) -> None:
    put(opened(path), "name", b"value")
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="another key"):
        opened(path, key=b"\1" * 32)
    assert path.read_bytes() == before
    path.write_bytes(before[:-1])
    with pytest.raises(Unavailable, match="damaged"):
        opened(path)


class Killed(BaseException):
    """Stands for the end of the process."""


class TestCrashes:
    """The process ends between any two steps."""

    @pytest.mark.parametrize("steps", range(4))
    def test_the_vault_is_as_before_or_as_after_and_can_be_written(
        self, path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(opened(path), "name", b"old")
        file = opened(path)
        self.kill_after(steps, monkeypatch)
        with suppress(Killed):
            put(file, "name", b"new")
        monkeypatch.undo()
        assert opened(path).read()["locker"]["name"] in (b"old", b"new")
        put(opened(path), "name", b"newest")
        assert opened(path).read() == {"locker": {"name": b"newest"}}

    @pytest.mark.parametrize("later", range(4))
    @pytest.mark.parametrize("first", range(3))
    def test_a_vault_that_was_half_made_is_made_by_the_next(
        self, path: Path, first: int, later: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for steps, work in ((first, lambda: opened(path)), (later, lambda: put(opened(path), "name", b"new"))):
            self.kill_after(steps, monkeypatch)
            with suppress(Killed):
                work()
            monkeypatch.undo()
        put(opened(path), "name", b"newest")
        assert opened(path).read() == {"locker": {"name": b"newest"}}

    def test_what_was_acknowledged_before_cannot_be_rolled_back_after_one(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = opened(path)
        put(file, "name", b"old")
        older = path.read_bytes()
        put(file, "name", b"acknowledged")
        self.kill_after(1, monkeypatch)
        with pytest.raises(Killed):
            put(file, "name", b"new")
        monkeypatch.undo()
        path.write_bytes(older)
        with pytest.raises(Unavailable, match="older copy"):
            opened(path)

    @staticmethod
    def kill_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
        left = iter(range(steps))
        right = _whole_files.replace_whole

        def replace(path: Path, data: bytes) -> None:
            if next(left, None) is None:
                raise Killed
            right(path, data)

        monkeypatch.setattr(_vault_file, "replace_whole", replace)

    def test_what_a_killed_process_left_behind_is_written_over(self, path: Path) -> None:
        file = opened(path)
        left = path.with_name(f".{path.name}.new")
        left.write_bytes(b"half")
        put(file, "name", b"value")
        assert not left.exists()
        assert opened(path).read() == {"locker": {"name": b"value"}}

    def test_a_full_disk_leaves_the_vault_as_it_was(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = opened(path)
        put(file, "name", b"old")
        before = {each.name: each.read_bytes() for each in path.parent.iterdir()}

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="cannot be written: No space left"):
            put(file, "name", b"new")
        monkeypatch.undo()
        assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
        assert file.read() == {"locker": {"name": b"old"}}


class TestOthers:
    """Other threads and processes use the file."""

    def test_a_reader_beside_a_writer_never_takes_a_newer_file_for_an_older(self, path: Path) -> None:
        file = opened(path)
        failures: list[BaseException] = []
        done = threading.Event()

        def read() -> None:
            try:
                while not done.is_set():
                    file.read()
            except Unavailable as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(100):
            put(file, "name", b"%d" % number)
        done.set()
        for reader in readers:
            reader.join()
        assert failures == []

    def test_a_writer_waits_no_longer_than_told_for_one_that_does_not_end(self, path: Path) -> None:
        file = opened(path)
        with lock_of(path):
            began_s = time.monotonic()
            with pytest.raises(Unavailable, match="another process writes"):
                put(file, "name", b"value")
            assert time.monotonic() - began_s < 10
            assert file.read() == {}
        put(file, "name", b"value")

    def test_a_lock_that_somebody_tidied_away_is_made_again(self, path: Path) -> None:
        file = opened(path)
        with lock_of(path):
            path.with_name(f"{path.name}.lock").unlink()
            put(file, "name", b"value")
        put(file, "name", b"other")
        assert file.read() == {"locker": {"name": b"other"}}

    def test_a_writer_that_waited_for_a_lock_that_is_gone_waits_for_the_new_one(self, path: Path) -> None:
        file = VaultFile(path, KEY, lock_wait_s=10)
        with ExitStack() as old, ExitStack() as new:
            old.enter_context(lock_of(path))
            writing = threading.Thread(target=put, args=(file, "name", b"value"))
            writing.start()
            time.sleep(0.05)  # it waits
            path.with_name(f"{path.name}.lock").unlink()
            path.with_name(f"{path.name}.lock").touch()
            new.enter_context(lock_of(path))
            old.close()
            time.sleep(0.1)
            assert file.read() == {}, "two write at once"
        writing.join()
        assert file.read() == {"locker": {"name": b"value"}}

    def test_what_another_process_writes_is_read(self, path: Path) -> None:
        one, other = opened(path), opened(path)
        put(one, "name", b"value")
        assert other.read() == {"locker": {"name": b"value"}}
        put(other, "name", b"changed")
        assert one.read() == {"locker": {"name": b"changed"}}

    def test_the_vault_of_somebody_else_in_its_place_is_refused(self, path: Path, tmp_path: Path) -> None:
        file = opened(path)
        opened(tmp_path / "other")
        path.write_bytes((tmp_path / "other").read_bytes())
        with pytest.raises(Unavailable, match="another vault's file"):
            file.read()


class TestPlaces:
    """What the path leads to."""

    def test_all_files_are_their_owners_alone(self, path: Path) -> None:
        put(opened(path), "name", b"value")
        assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {
            "vault": 0o600,
            "vault.generation": 0o600,
            "vault.lock": 0o600,
        }

    def test_a_link_stays_a_link_to_the_vault(self, path: Path, tmp_path: Path) -> None:
        opened(path)
        link = tmp_path / "link"
        link.symlink_to(path)
        put(opened(link), "name", b"value")
        assert link.is_symlink()
        assert opened(path).read() == {"locker": {"name": b"value"}}
        assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "vault", "vault.generation", "vault.lock"]

    def test_a_link_in_the_place_of_the_lock_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        path.with_name("vault.lock").symlink_to(tmp_path / "made")
        with pytest.raises(Unavailable, match="cannot be locked"):
            opened(path)
        assert not (tmp_path / "made").exists()

    def test_a_link_in_the_place_of_the_new_file_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        file = opened(path)
        (tmp_path / "precious").write_text("precious")
        path.with_name(".vault.new").symlink_to(tmp_path / "precious")
        put(file, "name", b"value")
        assert (tmp_path / "precious").read_text() == "precious"

    def test_a_pipe_in_its_place_is_refused_at_once(self, path: Path) -> None:
        os.mkfifo(path)
        with pytest.raises(Unavailable, match="is no file"):
            opened(path)

    def test_a_folder_in_its_place_is_refused(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(Unavailable, match="is no file"):
            opened(path)

    def test_a_folder_that_is_not_there_is_told(self, path: Path) -> None:
        with pytest.raises(Unavailable, match="No such file or directory"):
            opened(path / "vault")

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
    def test_where_this_user_has_no_right_access_is_denied(
        self, path: Path, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = opened(path)

        def refused(*arguments: Any) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refused)
        with pytest.raises(AccessDenied, match="cannot be read"):
            file.read()
        with pytest.raises(AccessDenied, match="cannot be locked"):
            put(file, "name", b"value")

    def test_a_file_above_the_bound_is_not_read(self, path: Path) -> None:
        with path.open("wb") as stream:
            stream.truncate(MAX_FILE_BYTES + 1)
        with pytest.raises(Unavailable, match="larger than"):
            opened(path)

    def test_a_vault_that_would_be_above_the_bound_stays_as_it_is(self, path: Path) -> None:
        file = opened(path)
        put(file, "name", b"value")
        with pytest.raises(TooLarge):
            put(file, "large", bytes(MAX_FILE_BYTES))
        assert file.read() == {"locker": {"name": b"value"}}
        assert opened(path, key=KEY).read() == {"locker": {"name": b"value"}}
