"""Real runs of `qwasr`, and a search through everything that they wrote for the secret, the key and the passphrase."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interfaces.vault.tests.files import opened
from interfaces.vault.tests.guest_text import SERVED
from qwasr_vault._vault_file import VaultFile
from qwasr_vault.compliance._lockers import fresh_secret, traces_of
from tools.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    Run = tuple[int, int]  # where guests and the operator's pages are served

QWASR = str(Path(sys.executable).with_name("qwasr"))
KEY = os.urandom(32)
PASSPHRASE = "correct horse battery staple"


class Searched:
    """A folder in which everything is written, with a vault that has a secret.

    What the tests say to a process of the secret, the key and the passphrase lies outside of it.
    """

    def __init__(self, folder: Path, hidden: Path, way: str) -> None:
        self.folder = folder
        self.vault = folder / "vault"
        self.component = folder / "guest.wat"
        self.component.write_text(SERVED)
        self.secret = fresh_secret()
        (hidden / "key").write_text(KEY.hex() + "\n")
        self.opening = {
            "key": {"VAULT_KEY": KEY.hex()},
            "key file": {"VAULT_KEY_FILE": str(hidden / "key")},
            "passphrase": {"VAULT_PASSPHRASE": PASSPHRASE},
        }[way]
        self.given, self.passphrase = (PASSPHRASE.encode(), True) if way == "passphrase" else (KEY, False)
        file = self.file()
        file.change(lambda entries: bool(entries.setdefault("billing", {}).setdefault("api-key", self.secret)))
        self.outputs = 0

    def file(self) -> VaultFile:
        return VaultFile(self.vault, self.given, passphrase=self.passphrase)

    def environ(self, **variables: str) -> dict[str, str]:
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("QWASR_", "VAULT_", "HTTP_"))}
        ours = {
            "QWASR_VAULT": f"file:///{self.vault}",
            "QWASR_PLUGINS": "vault,http,wasi",
            "QWASR_CACHE_DIR": str(self.folder / "cache"),
            "QWASR_LOG_LEVEL": "debug",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.folder),
            **self.opening,
        }
        return {**clean, **ours, **variables}

    def written(self, text: bytes) -> None:
        """Keep what a process wrote or answered, to be searched."""
        self.outputs += 1
        (self.folder / f"output-{self.outputs}").write_bytes(text)

    def command(self, *words: str, **variables: str) -> str:
        """Run a command to its end and return what it wrote."""
        done = subprocess.run(
            [QWASR, *words], env=self.environ(**variables), cwd=self.folder, capture_output=True, check=False
        )
        self.written(done.stdout + done.stderr)
        return (done.stdout + done.stderr).decode()

    def everything(self) -> bytes:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return b"\n".join(str(path.relative_to(self.folder)).encode() + b"\n" + path.read_bytes() for path in files)

    def search(self, *more: bytes) -> None:
        """Fail where a secret is in anything; say in which file, and not with what."""
        for name, secret in (("secret", self.secret), ("key", KEY), ("passphrase", PASSPHRASE.encode())):
            for trace in traces_of(secret):
                for path in (path for path in self.folder.rglob("*") if path.is_file()):
                    assert trace not in path.read_bytes(), f"the {name} is in {path.relative_to(self.folder)}"


@pytest.fixture
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> Searched:
    for name in ("searched", "hidden"):
        (tmp_path / name).mkdir()
    return Searched(tmp_path / "searched", tmp_path / "hidden", getattr(request, "param", "key"))


@contextmanager
def running(searched: Searched, **variables: str) -> Iterator[Run]:
    """Serve the guest, supervisor and worker; everything that they write is kept."""
    guests, operator = free_port(), free_port()
    addresses = {"HTTP_ADDR": f"127.0.0.1:{guests}", "ADMIN_ADDR": f"127.0.0.1:{operator}", "QWASR_SHUTDOWN_S": "1"}
    log = searched.folder / "log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [QWASR, "run", str(searched.component)],
            env=searched.environ(**addresses, **variables),
            cwd=searched.folder,
            stdout=stream,
            stderr=stream,
        )
    try:
        until(searched, operator, "/health/ready", 200)
        yield guests, operator
        for pid in (process.pid, *children(process.pid)):
            searched.written(Path(f"/proc/{pid}/cmdline").read_bytes())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ask(searched: Searched, port: int, path: str) -> int:
    """Ask for a page, keep the whole answer, and return its status; 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        searched.written(str(answer.headers).encode() + answer.read())
    except ConnectionError:
        return 0
    else:
        return answer.status
    finally:
        connection.close()


def until(searched: Searched, port: int, path: str, status: int) -> None:
    """Ask again and again: services are asked at most once a second."""
    until_s = time.monotonic() + 30
    while ask(searched, port, path) != status:
        assert time.monotonic() < until_s, f"{path} is never {status}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("searched", "form"), [("key", "text"), ("key file", "json"), ("passphrase", "text")], indirect=["searched"]
)
def test_a_run_writes_no_secret_no_key_and_no_passphrase(searched: Searched, form: str) -> None:
    older = searched.folder.parent / "older"
    shutil.copy(searched.vault, older)
    with running(searched, LOG_FORMAT=form) as (guests, operator):
        assert ask(searched, guests, "/") == 500, "the guest gives no answer"
        assert searched.file().read()["billing"]["copied"] == searched.secret, "but it has had the secret"
        assert ask(searched, guests, "/") == 500, "now it traps"
        assert ask(searched, operator, "/metrics") == 200
        shutil.copy(older, searched.vault)
        assert ask(searched, guests, "/") == 500, "the vault is an older copy"
        until(searched, operator, "/health/ready", 503)
        searched.vault.write_bytes(b"something else")
        assert ask(searched, guests, "/") == 500
        searched.vault.unlink()
        assert ask(searched, guests, "/") == 500
        assert ask(searched, guests, "garbage") == 400, "which is logged at the level debug"
        until(searched, operator, "/health/ready", 503)
    log = (searched.folder / "log").read_text()
    for line in ("DEBUG", "was refused with 400", "unreachable", "older copy", "something else", "its file is gone"):
        assert line in log, f"the log has to have {line!r} for this test"
    everything = searched.everything()
    for shown in (b"qwasr_requests_total", b"older copy"):
        assert shown in everything
    searched.search()


@pytest.mark.parametrize("searched", ["key", "passphrase"], indirect=True)
def test_no_command_writes_a_secret_a_key_or_a_passphrase(searched: Searched) -> None:
    component = str(searched.component)
    assert " *** " in searched.command("env", component)
    for variable in ("VAULT_KEY", "VAULT_PASSPHRASE", "VAULT_URL"):
        assert variable in searched.command("env", component, "--explain", variable)
    assert "vault" in searched.command("doctor", component)
    assert '"vault"' in searched.command("doctor", "--json", component)
    assert "vault" in searched.command("inspect", component)
    assert "vault" in searched.command("plugins")
    searched.search()


def test_what_goes_wrong_at_the_start_is_told_without_the_key(searched: Searched) -> None:
    component, other = str(searched.component), os.urandom(32).hex()
    assert "another key" in searched.command("run", component, VAULT_KEY=other)
    assert "another key" in searched.command("doctor", component, VAULT_KEY=other)
    assert "64 hexadecimal digits" in searched.command("run", component, VAULT_KEY=KEY.hex()[:-1])
    assert "VAULT_KEY or VAULT_PASSPHRASE" in searched.command("run", component, VAULT_PASSPHRASE=PASSPHRASE)
    assert "VAULT_KEY or VAULT_PASSPHRASE" in searched.command("run", component, VAULT_KEY="")
    assert "shorter than 12" in searched.command("run", component, VAULT_KEY="", VAULT_PASSPHRASE=PASSPHRASE[:7])
    assert "are set" in searched.command("run", component, VAULT_KEY_FILE=str(searched.folder.parent / "hidden/key"))
    searched.vault.write_bytes(searched.vault.read_bytes()[:-1])
    assert "damaged" in searched.command("run", component)
    assert other not in searched.everything().decode(errors="replace")
    assert PASSPHRASE[:7] not in searched.everything().decode(errors="replace")
    assert KEY.hex()[:-1] not in searched.everything().decode(errors="replace")
    searched.search()


def test_a_run_on_the_environment_writes_no_secret(searched: Searched) -> None:
    secrets = {"QWASR_VAULT": "env://APP_SECRET", "APP_SECRET_BILLING__API_KEY": searched.secret.decode()}
    with running(searched, LOG_FORMAT="json", **secrets) as (guests, operator):
        assert ask(searched, guests, "/") == 500
        assert ask(searched, operator, "/metrics") == 200
    component = str(searched.component)
    assert "env://APP_SECRET" in searched.command("env", component, **secrets)
    searched.command("doctor", component, **secrets)
    searched.command("inspect", component, **secrets)
    searched.search()


def test_the_search_finds_what_was_written(searched: Searched) -> None:
    searched.search()
    for trace in traces_of(searched.secret):
        searched.written(b"before" + trace + b"after")
        with pytest.raises(AssertionError, match="the secret is in output"):
            searched.search()
        (searched.folder / f"output-{searched.outputs}").unlink()


def test_no_secret_and_no_key_is_in_the_files_of_a_vault(tmp_path: Path) -> None:
    file, secret = opened(tmp_path / "vault", key=KEY), fresh_secret()
    file.change(lambda entries: bool(entries.setdefault("locker", {}).setdefault("name", secret)))
    for path in tmp_path.iterdir():
        for trace in (*traces_of(secret), *traces_of(KEY), b"locker"):
            assert trace not in path.read_bytes()
