"""The supervisor, as a process, with a plug-in whose server can be told to fail."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., subprocess.Popen[str]]

PLUGIN = """
import os, signal
from pathlib import Path
from qwasr.errors import BackendError
from qwasr.hooks import Interface, hookimpl
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions

class Wood:
    name, provides, schemes, Options = "wood", ("shelf",), (), ConnectOptions
    @classmethod
    async def connect(cls, options):
        folder = Path(os.environ["FOLDER"])
        if os.environ.get("UNCONNECTED"): raise BackendError("wood is wet; dry it")
        return cls()
    async def check(self):
        if Path(os.environ["FOLDER"], "rotten").exists(): raise BackendError("wood is rotten; replace it")
    async def close(self): pass

class Pocket(Wood):
    name, per_process = "pocket", True

class Shelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends): pass
    def ask(self) -> int: return 7

class Handler:
    export, Options = "demo:shelf/handler", ConnectOptions
    def __init__(self, options): pass
    async def start(self, guest):
        folder = Path(os.environ["FOLDER"])
        (folder / f"began-{os.getpid()}").touch()
        if not guest._linked.component.from_cache: (folder / f"compiled-{os.getpid()}").touch()
        if (folder / "crash").exists(): os.kill(os.getpid(), signal.SIGKILL)
        run = guest.function("demo:shelf/handler", "run")
        async with guest.call() as call: await call.invoke(run)
    async def drain(self, timeout_s): Path(os.environ["FOLDER"], f"drained-{os.getpid()}").touch()
    async def close(self): pass
    def describe(self): return "nowhere"

@hookimpl
def qwasr_register_interfaces():
    return [Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [Shelf], default="wood")]
@hookimpl
def qwasr_register_backends(): return [Wood, Pocket]
@hookimpl
def qwasr_register_servers(): return [Handler]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where workers leave marks, and find orders."""
    made = tmp_path / "marks"
    made.mkdir()
    return made


@pytest.fixture
def start(tmp_path: Path, folder: Path, write_component: Callable[..., Path]) -> Iterator[Start]:
    """Start `qwasr run` with the plug-in; whatever is left of it is killed when the test ends."""
    site = tmp_path / "site"
    info = site / "demo_shelf-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "demo_shelf.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-shelf\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[qwasr]\nshelf = demo_shelf\n")
    keep = {name: value for name, value in os.environ.items() if not name.startswith("QWASR_")}
    component = write_component("asking")
    started: list[subprocess.Popen[str]] = []

    def run(*flags: str, **variables: str) -> subprocess.Popen[str]:
        environ = {
            **keep,
            "PYTHONPATH": str(site),
            "QWASR_PLUGINS": "shelf",
            "QWASR_CACHE_DIR": str(tmp_path / "cache"),
            "FOLDER": str(folder),
            **variables,
        }
        words = [sys.executable, "-m", "qwasr.cli", "run", *flags, str(component)]
        process = subprocess.Popen(
            words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert eventually(lambda: not any(alive(pid) for pid in began(folder))), "a worker outlives its supervisor"


def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def began(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("began-")) for path in folder.glob("began-*")]


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


def admin_url(lines: list[str]) -> str:
    found = re.search(r"health and metrics at (\S+)", "".join(lines))
    assert found is not None
    return found[1]


def ready(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_sigterm_drains_every_worker_and_the_exit_code_is_0(start: Start, folder: Path) -> None:
    process = start("--workers", "2")
    lines_until(process, "2 workers")
    assert eventually(lambda: len(began(folder)) == 2)
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert len(list(folder.glob("drained-*"))) == 2


def test_an_error_of_the_first_worker_is_the_error_of_the_run(start: Start) -> None:
    process = start("--workers", "2", UNCONNECTED="1")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 5
    assert output == "qwasr: wood is wet; dry it\n"


def test_a_backend_that_belongs_to_one_process_is_refused_above_one_worker(start: Start) -> None:
    process = start("--workers", "2", QWASR_SHELF="pocket")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "pocket keeps its data in one process" in output
    assert "QWASR_SHELF=redis" in output


def test_one_worker_may_have_a_backend_that_belongs_to_it(start: Start) -> None:
    process = start("--admin-address", "127.0.0.1:0", QWASR_SHELF="pocket")
    lines_until(process, "serves demo:shelf/handler")


def test_workers_that_die_as_they_start_end_the_run_with_an_error(start: Start, folder: Path) -> None:
    (folder / "crash").touch()
    process = start("--workers", "2")
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "workers die as soon as they start, 5 times in succession" in output
    assert len(began(folder)) == 5


def test_a_worker_that_is_killed_is_started_again(start: Start, folder: Path) -> None:
    process = start("--workers", "2")
    lines_until(process, "2 workers")
    pids = eventually(lambda: found if len(found := began(folder)) == 2 else None)
    os.kill(pids[0], signal.SIGKILL)
    assert eventually(lambda: len(began(folder)) == 3)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux sets another process's limits")
def test_a_worker_for_which_there_is_no_process_now_is_started_later(start: Start, folder: Path) -> None:
    process = start("--workers", "2", "--admin-address", "127.0.0.1:0")
    url = admin_url(lines_until(process, "2 workers"))
    assert eventually(lambda: ready(url)[1]["workers"]["ready"] == 2)
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # all that a process needs to be started
    os.kill(began(folder)[0], signal.SIGKILL)
    lines_until(process, "cannot be started")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    assert eventually(lambda: len(began(folder)) == 3)
    assert eventually(lambda: ready(url)[1]["workers"]["ready"] == 2)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux tells another process's limits")
@pytest.mark.parametrize("flags", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_processes_may_open_as_many_files_as_the_system_lets_them(start: Start, folder: Path, flags: list[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))  # what a login or a service has is meant for `select`
    try:
        process = start(*flags)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    lines_until(process, "serves demo:shelf/handler")
    assert [resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in began(folder)] == [(hard, hard)]


def test_ready_names_the_backend_that_fails_and_why(start: Start, folder: Path) -> None:
    process = start("--admin-address", "127.0.0.1:0")
    url = admin_url(lines_until(process, "serves demo:shelf/handler"))
    assert ready(url) == (200, {"ready": True, "workers": {"wanted": 1, "ready": 1}, "problems": []})
    (folder / "rotten").touch()
    status, said = eventually(lambda: found if (found := ready(url))[0] != 200 else None)
    assert status == 503
    assert said["problems"] == [{"worker": 0, "backend": "wood", "reason": "wood is rotten; replace it"}]


def test_a_reload_that_fails_leaves_the_workers_that_serve(start: Start, folder: Path) -> None:
    process = start("--admin-address", "127.0.0.1:0")
    url = admin_url(lines_until(process, "serves demo:shelf/handler"))
    (pid,) = began(folder)
    (folder / "crash").touch()
    process.send_signal(signal.SIGHUP)
    lines_until(process, "the reload stops")
    assert alive(pid)
    assert ready(url)[0] == 200


def test_a_hang_up_during_a_reload_is_a_reload_of_its_own(start: Start, folder: Path) -> None:
    process = start("--workers", "2")
    lines_until(process, "2 workers")
    assert eventually(lambda: len(began(folder)) == 2)
    process.send_signal(signal.SIGHUP)
    assert eventually(lambda: len(began(folder)) == 3)  # what it has read may change now
    process.send_signal(signal.SIGHUP)
    assert eventually(lambda: len(began(folder)) == 6)
    lines_until(process, "reloaded")
    lines_until(process, "reloaded")


def test_a_hang_up_before_anyone_serves_is_not_lost(start: Start, folder: Path) -> None:
    process = start("--admin-address", "127.0.0.1:0")
    lines_until(process, "health and metrics at")
    process.send_signal(signal.SIGHUP)
    lines_until(process, "reloaded")
    assert len(began(folder)) == 2


def test_workers_end_when_their_supervisor_is_killed(start: Start, folder: Path) -> None:
    process = start("--workers", "2")
    lines_until(process, "2 workers")
    pids = eventually(lambda: found if len(found := began(folder)) == 2 else None)
    process.kill()
    assert eventually(lambda: not any(alive(pid) for pid in pids))
    assert len(list(folder.glob("drained-*"))) == 2


def test_settings_are_not_among_a_workers_arguments(start: Start, folder: Path) -> None:
    process = start("--workers", "2", "--guest-timeout-s", "17.5")
    lines_until(process, "2 workers")
    (pid, *_) = began(folder)
    assert "17.5" not in Path(f"/proc/{pid}/cmdline").read_text()


def test_the_supervisor_has_no_engine(start: Start) -> None:
    process = start("--workers", "2")
    lines_until(process, "2 workers")
    assert "wasmtime" not in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.parametrize("cache", ["a folder", "off", "no folder", "of others"])
def test_only_the_first_worker_compiles_whatever_the_folder_of_compiled_components_is(
    start: Start, folder: Path, tmp_path: Path, cache: str
) -> None:
    where = tmp_path / "cache"
    if cache == "no folder":
        where.write_text("a file")  # which root may not write below, either
    elif cache == "of others":
        where.mkdir()
        where.chmod(0o777)
    process = start("--workers", "3", QWASR_CACHE_DIR="off" if cache == "off" else str(where))
    lines = lines_until(process, "3 workers")
    assert eventually(lambda: len(began(folder)) == 3)
    assert len(list(folder.glob("compiled-*"))) == 1
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    unusable = [line for line in lines if f"{where} cannot keep compiled components" in line]
    assert len(unusable) == (cache in ("no folder", "of others"))
    assert "is not cached" not in "".join(lines) + output
