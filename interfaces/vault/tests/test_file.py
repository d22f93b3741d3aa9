"""The backend on an encrypted file: its options, its threads, what it tells an operator."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from interfaces.vault.tests.files import KEY, content, exists, make_folder, move_aside, move_back, overwrite
from qwasr.errors import BackendError, OptionError
from qwasr_vault import EncryptedFile, FileOptions, Unavailable, _sealed
from qwasr_vault.compliance._lockers import traces_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

HEX = KEY.hex()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
async def vault(path: Path) -> AsyncIterator[EncryptedFile]:
    vault = await EncryptedFile.connect(FileOptions(url=f"file:///{path}", key=HEX, timeout_s=0.3))
    yield vault
    await vault.close()


@contextmanager
def lock_of(path: Path) -> Iterator[None]:
    """Hold the lock as another process does: it belongs to the open file."""
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class TestOptions:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("file:///vault", "vault"),
            ("file:///a/vault", "a/vault"),
            ("file:////var/lib/vault", "/var/lib/vault"),
            ("file:///with%20space%3F", "with space?"),
        ],
    )
    def test_a_url_names_a_file(self, url: str, path: str) -> None:
        assert str(FileOptions(url=url, key=HEX).path) == path

    @pytest.mark.parametrize(
        "url", ["file:///", "file://host/vault", "file:///a?b", "file:///a#b", "memory:///a", "file:///a%00b", "vault"]
    )
    def test_other_urls_are_errors(self, url: str) -> None:
        with pytest.raises(OptionError, match="VAULT_URL: write file:///relative"):
            str(FileOptions(url=url, key=HEX).path)

    @pytest.mark.parametrize("text", [HEX, HEX.upper(), b64encode(KEY).decode(), f" {HEX}\n"])
    def test_a_key_is_in_hexadecimal_digits_or_base64(self, text: str) -> None:
        assert FileOptions(url="file:///vault", key=text).given() == (KEY, False)

    @pytest.mark.parametrize(
        "text", ["", "hunter2", HEX[:-2], HEX + "00", "z" * 64, b64encode(KEY[:-1]).decode(), "ключ" * 16]
    )
    def test_a_key_of_another_form_is_an_error_that_does_not_quote_it(self, text: str) -> None:
        with pytest.raises(OptionError, match="openssl rand -hex 32") as caught:
            FileOptions(url="file:///vault", key=text).given()
        assert not text or text not in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize(("key", "passphrase"), [(None, None), (HEX, "correct horse battery")])
    def test_it_is_a_key_or_a_passphrase(self, key: str | None, passphrase: str | None) -> None:
        with pytest.raises(OptionError, match="VAULT_KEY or VAULT_PASSPHRASE"):
            FileOptions(url="file:///vault", key=key, passphrase=passphrase).given()

    def test_a_short_passphrase_is_an_error_that_does_not_quote_it(self) -> None:
        with pytest.raises(OptionError, match="shorter than 12 characters") as caught:
            FileOptions(url="file:///vault", passphrase="hunter2").given()
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_the_key_may_be_in_a_file(self, tmp_path: Path, end: str) -> None:
        (tmp_path / "key").write_text(HEX + end, newline="")
        environ = {"VAULT_URL": "file:///vault", "VAULT_KEY_FILE": str(tmp_path / "key")}
        assert FileOptions.from_env(environ).given() == (KEY, False)

    def test_the_passphrase_may_be_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "words").write_text("correct horse battery\n")
        environ = {"VAULT_URL": "file:///vault", "VAULT_PASSPHRASE_FILE": str(tmp_path / "words")}
        assert FileOptions.from_env(environ).given() == (b"correct horse battery", True)

    def test_a_key_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        environ = {"VAULT_URL": "file:///vault", "VAULT_KEY_FILE": str(tmp_path / "key")}
        with pytest.raises(OptionError, match=r"VAULT_KEY_FILE.*No such file"):
            FileOptions.from_env(environ)

    def test_no_key_is_in_what_is_printed_of_the_options(self) -> None:
        shown = repr(FileOptions(url="file:///vault", key=HEX)) + repr(FileOptions(url="f", passphrase="open sesame!"))
        assert HEX not in shown
        assert "sesame" not in shown


class TestConnecting:
    async def test_another_key_is_told_with_the_name_of_the_file(self, vault: EncryptedFile, path: Path) -> None:
        with pytest.raises(BackendError, match="another key") as caught:
            await EncryptedFile.connect(FileOptions(url=f"file:///{path}", key="00" * 32))
        assert str(path) in str(caught.value)

    async def test_a_damaged_file_is_told(self, vault: EncryptedFile, path: Path) -> None:
        overwrite(path, content(path)[:-1] + b"?")
        with pytest.raises(BackendError, match="damaged"):
            await EncryptedFile.connect(FileOptions(url=f"file:///{path}", key=HEX))

    async def test_nothing_is_made_without_a_key(self, path: Path) -> None:
        with pytest.raises(OptionError):
            await EncryptedFile.connect(FileOptions(url=f"file:///{path}"))
        assert not exists(path)

    async def test_the_event_loop_goes_on_while_a_passphrase_is_derived(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begins, goes_on = threading.Event(), threading.Event()

        class Slow:
            def __init__(self, **parameters: Any) -> None:
                self.right = Scrypt(**parameters)

            def derive(self, given: bytes) -> bytes:
                begins.set()
                assert goes_on.wait(30), "the event loop waits for it"
                return self.right.derive(given)

        monkeypatch.setattr(_sealed, "Scrypt", Slow)
        options = FileOptions(url=f"file:///{path}", passphrase="correct horse battery")
        opening = asyncio.create_task(EncryptedFile.connect(options))
        assert await asyncio.to_thread(begins.wait, 30)
        goes_on.set()
        await (await opening).close()

    async def test_the_generation_is_kept_where_it_is_told(self, path: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        make_folder(elsewhere)
        options = FileOptions(url=f"file:///{path}", key=HEX, generation_dir=elsewhere)
        vault = await EncryptedFile.connect(options)
        await (await vault.open_locker("l")).set("name", b"value")
        await vault.close()
        assert exists(elsewhere / "vault.generation")
        assert not exists(path.with_name("vault.generation"))
        with pytest.raises(BackendError, match="generation is gone"):
            await EncryptedFile.connect(FileOptions(url=f"file:///{path}", key=HEX))


class TestRunning:
    async def test_a_file_that_cannot_be_used_is_told_by_a_check(self, vault: EncryptedFile, path: Path) -> None:
        await vault.check()
        move_aside(path)
        with pytest.raises(BackendError, match="its file is gone"):
            await vault.check()

    async def test_the_operator_is_told_once_and_again_when_it_comes_again(
        self, vault: EncryptedFile, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        locker = await vault.open_locker("l")
        for _ in range(2):
            move_aside(path)
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await locker.get("name")
            move_back(path)
            await locker.get("name")
        assert [record.getMessage() for record in caplog.records] == ["the vault is unavailable: its file is gone"] * 2

    async def test_a_guest_that_reads_and_is_not_let_write_does_not_fill_the_log(
        self, vault: EncryptedFile, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        locker = await vault.open_locker("l")
        with lock_of(path):
            for _ in range(2):
                await locker.get("name")
                with pytest.raises(Unavailable):
                    await locker.set("name", b"value")
        assert len(caplog.records) == 1

    async def test_a_set_that_waits_for_another_process_ends_in_time_and_readers_do_not_wait(
        self, vault: EncryptedFile, path: Path
    ) -> None:
        locker = await vault.open_locker("l")
        with lock_of(path):
            began_s = time.monotonic()
            with pytest.raises(Unavailable, match="unavailable"):
                await locker.set("name", b"value")
            assert 0.2 < time.monotonic() - began_s < 10
            assert await locker.get("name") is None
        await locker.set("name", b"value")

    async def test_sets_that_wait_behind_another_end_in_time_too(self, vault: EncryptedFile, path: Path) -> None:
        locker = await vault.open_locker("l")
        with lock_of(path):
            began_s = time.monotonic()
            calls = [locker.set(f"{number}", b"value") for number in range(20)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            assert time.monotonic() - began_s < 5, "each waits for a time of its own: 20 times 0.3 s"

    async def test_a_cancelled_set_that_has_not_begun_is_not_done(self, vault: EncryptedFile, path: Path) -> None:
        locker = await vault.open_locker("l")
        with lock_of(path):
            first = asyncio.create_task(locker.set("first", b"value"))
            second = asyncio.create_task(locker.set("second", b"value"))
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        await first
        await locker.set("third", b"value")
        assert await locker.list_ids() == ["first", "third"]

    async def test_a_value_is_taken_as_it_was_when_it_was_set(self, vault: EncryptedFile) -> None:
        locker = await vault.open_locker("l")
        value: Any = bytearray(b"value")
        setting = asyncio.create_task(locker.set("name", value))
        await asyncio.sleep(0)
        value[:] = b"other"
        await setting
        assert await locker.get("name") == b"value"

    async def test_a_locker_that_was_emptied_leaves_nothing(self, vault: EncryptedFile, path: Path) -> None:
        locker = await vault.open_locker("l")
        size = len(content(path))
        await locker.set("name", bytes(1000))
        await locker.delete("name")
        assert abs(len(content(path)) - size) < 10
        before = content(path)
        await locker.delete("name")
        assert content(path) == before, "deleting nothing writes nothing"

    async def test_no_secret_is_in_the_futures_and_the_debug_log_of_asyncio(
        self, vault: EncryptedFile, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The `repr` of a future, and of the task that waits for it, has its result, and finds its way into logs."""
        loop = asyncio.get_running_loop()
        run, futures = loop.run_in_executor, []

        def watched(*arguments: Any) -> asyncio.Future[Any]:
            futures.append(run(*arguments))
            return futures[-1]

        monkeypatch.setattr(loop, "run_in_executor", watched)
        caplog.set_level(logging.DEBUG)
        loop.slow_callback_duration = 0.0
        loop.set_debug(True)
        try:
            locker = await vault.open_locker("l")
            await locker.set("name", b"open sesame")
            assert await locker.get("name") == b"open sesame"
        finally:
            loop.set_debug(False)
        assert "Executing" in caplog.text, "the loop has to log for this test"
        assert len(futures) == 2
        for trace in traces_of(b"open sesame"):
            assert trace.decode() not in caplog.text + repr(futures)
