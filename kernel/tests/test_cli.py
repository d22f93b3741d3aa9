from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Any]
    Run = Callable[..., subprocess.CompletedProcess[str]]

# An interface, two backends, a server and a command, as another package would bring them.
PLUGIN = '''
import asyncio, os
from dataclasses import dataclass
import click
from qwasr.errors import BackendError, ServeError
from qwasr.hooks import Interface, hookimpl
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions, env

@dataclass(frozen=True, slots=True, kw_only=True)
class WoodOptions(ConnectOptions):
    answer: int = env("WOOD_ANSWER", default=7, minimum=0, help="what it answers")
    key: str = env("WOOD_KEY", default="", secret=True, help="what opens it")

class Wood:
    name, provides, schemes, Options = "wood", ("shelf",), (), WoodOptions
    def __init__(self, answer): self.answer = answer
    @classmethod
    async def connect(cls, options): return cls(options.answer)
    async def check(self): pass
    async def close(self): print("wood closed", flush=True)

class Fire(Wood):
    name = "fire"
    @classmethod
    async def connect(cls, options): raise BackendError("fire is out; light it")

class Shelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends): self.backend = backends.default
    def ask(self) -> int: return self.backend.answer

class Handler:
    export, Options = "demo:shelf/handler", ConnectOptions
    def __init__(self, options): pass
    async def start(self, guest):
        if os.environ.get("TAKEN"): raise ServeError("the address is taken")
        run = guest.function("demo:shelf/handler", "run")
        async with guest.call() as call: print("answer", await call.invoke(run), flush=True)
    async def drain(self, timeout_s): print("drained", flush=True)
    async def close(self): pass
    def describe(self): return f"nowhere, on {type(asyncio.get_running_loop()).__module__}"

@click.command()
def hello():
    """Greet."""
    click.echo("hello from a plug-in")

@hookimpl
def qwasr_register_interfaces():
    return [Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [Shelf], default="wood")]
@hookimpl
def qwasr_register_backends(): return [Wood, Fire]
@hookimpl
def qwasr_register_servers(): return [Handler]
@hookimpl
def qwasr_register_commands(): return [hello]
'''


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which one plug-in, a real distribution on the path, is installed and alone asked for."""
    site = tmp_path / "site"
    info = site / "demo_shelf-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "demo_shelf.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-shelf\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[qwasr]\nshelf = demo_shelf\n")
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("QWASR_", "WOOD_"))}
    return {**keep, "PYTHONPATH": path, "QWASR_PLUGINS": "shelf", "QWASR_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture
def qwasr(environ: dict[str, str]) -> Run:
    """Run the command line to its end."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "qwasr.cli", *map(str, arguments)]
        return subprocess.run(
            words, capture_output=True, text=True, env={**environ, **variables}, timeout=30, check=False
        )

    return run


def test_help_lists_our_commands_those_of_plugins_and_the_exit_codes(qwasr: Run) -> None:
    shown = qwasr("--help").stdout
    for word in (
        "run",
        "doctor",
        "compile",
        "inspect",
        "plugins",
        "env",
        "wit",
        "new",
        "completion",
        "hello",
        "Exit codes:",
    ):
        assert word in shown


def test_help_imports_neither_the_engine_nor_a_client_library(environ: dict[str, str]) -> None:
    code = (
        "import sys\n"
        "from qwasr.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('wasmtime', 'cffi', 'aiohttp', 'dotenv', 'uvloop', 'redis', 'nats')\n"
        "print('imported', [name for name in heavy if name in sys.modules])\n"
    )
    del environ["QWASR_PLUGINS"]  # with everything that is installed here
    environ.pop("PYTHONPATH")
    environ["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"


def test_the_version_is_shown(qwasr: Run) -> None:
    assert qwasr("--version").stdout.startswith("qwasr 0.")


def test_a_plugins_command_runs(qwasr: Run) -> None:
    assert qwasr("hello").stdout == "hello from a plug-in\n"


def test_help_of_run_shows_flags_variables_defaults_and_those_of_plugins(qwasr: Run) -> None:
    shown = " ".join(qwasr("run", "--help").stdout.split())
    for text in ("--guest-timeout-s", "[QWASR_GUEST_TIMEOUT_S; default: 30.0]", "WOOD_ANSWER", "[default: 7]"):
        assert text in shown
    assert "3 the file is not a component that can run" in shown


def start(environ: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "qwasr.cli", "run", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def test_run_says_what_it_bound_before_it_serves_and_drains_on_sigterm(
    environ: dict[str, str], write_component: Make
) -> None:
    with start(environ, write_component("asking")) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline().rstrip() for _ in range(4)]
        assert lines[:2] == ["shelf: wood (default)", "  demo:shelf@0.1.0: shelf"]
        assert lines[2] == "answer 7"
        assert lines[3].startswith("asking serves demo:shelf/handler at nowhere")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "drained\nwood closed\n"
        assert "SIGTERM: taking nothing new" in process.stderr.read()
    assert process.returncode == 0


def test_run_uses_uvloop_where_it_is_installed(environ: dict[str, str], write_component: Make) -> None:
    pytest.importorskip("uvloop", reason="uvloop is optional")
    with start(environ, write_component("asking")) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert "uvloop" in lines[3]
    assert process.returncode == 0


def test_flag_wins_over_environment_and_environment_over_env_file(
    qwasr: Run, tmp_path: Path, write_component: Make
) -> None:
    file = tmp_path / "variables"
    file.write_text("QWASR_CONCURRENCY=5\nQWASR_SHUTDOWN_S=6\nWOOD_KEY=hunter2\n")
    done = qwasr("env", "--json", "--env-file", file, QWASR_SHUTDOWN_S="7")
    values = {one["name"]: one["value"] for one in json.loads(done.stdout)["variables"]}
    assert (values["QWASR_CONCURRENCY"], values["QWASR_SHUTDOWN_S"], values["WOOD_KEY"]) == ("5", "7", "***")
    wrong = qwasr("run", write_component("asking"), "--concurrency", "0", QWASR_CONCURRENCY="9")
    assert "QWASR_CONCURRENCY=0 does not fit" in wrong.stderr


@pytest.mark.parametrize("flag", ["--backend-timeout", "--backend-timeout-s"])
def test_a_flag_of_seconds_may_leave_its_unit_out(qwasr: Run, write_component: Make, flag: str) -> None:
    assert "QWASR_BACKEND_TIMEOUT_S=-1.0 does not fit" in qwasr("run", write_component("asking"), flag, "-1").stderr


def test_set_sets_any_variable_and_wins_over_environment_and_env_file(qwasr: Run, tmp_path: Path) -> None:
    file = tmp_path / "variables"
    file.write_text("QWASR_QUEUE=4\nQWASR_SHUTDOWN_S=6\n")
    words = ("--set", "WOOD_ANSWER=9", "--set", "QWASR_QUEUE=5", "--set", "QWASR_SHELF__BIG=wood", "--env-file", file)
    done = qwasr("env", "--json", *words, WOOD_ANSWER="8", QWASR_CONCURRENCY="3")
    found = {one["name"]: (one["value"], one["set_by"]) for one in json.loads(done.stdout)["variables"]}
    assert found["WOOD_ANSWER"] == ("9", "--set")
    assert found["QWASR_QUEUE"] == ("5", "--set")
    assert found["QWASR_SHELF__BIG"] == ("wood", "--set")
    assert found["QWASR_SHUTDOWN_S"] == ("6", str(file))
    assert found["QWASR_CONCURRENCY"] == ("3", "environment")
    assert found["QWASR_GUEST_CPU_S"] == (None, "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--set", "WOOD_ANSWR=9"], "nothing reads the variable WOOD_ANSWR. Did you mean 'WOOD_ANSWER'?"),
        (["--set", "QWASR_SHELF__=wood"], "nothing reads the variable QWASR_SHELF__."),
        (["--set", "WOOD_ANSWER=many"], "WOOD_ANSWER=many does not fit: expected a whole number of at least 0"),
        (["--set", "QWASR_QUEUE=-1"], "QWASR_QUEUE=-1 does not fit"),
        (["--set", "hunter2"], "--set needs NAME=VALUE"),
        (["--set", "QWASR_QUEUE=1", "--set", "QWASR_QUEUE=2"], "--set QWASR_QUEUE=… is given twice"),
        (["--set", "QWASR_QUEUE=1", "--queue", "2"], "--queue and --set QWASR_QUEUE=… both set QWASR_QUEUE"),
    ],
)
def test_set_refuses_what_nobody_reads_and_values_that_do_not_fit(qwasr: Run, words: list[str], complaint: str) -> None:
    done = qwasr("run", "no.wasm", *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "hunter2" not in done.stderr


def test_env_shows_readers_secrets_masked_and_slips(qwasr: Run) -> None:
    done = qwasr("env", WOOD_KEY="hunter2", QWASR_SHELF__BIG="fire://me:hunter2@x", QWASR_CONCURENCY="1")
    assert "hunter2" not in done.stdout + done.stderr
    assert "demo_shelf.WoodOptions" in done.stdout
    assert "fire://***" in done.stdout
    assert "Did you mean 'QWASR_CONCURRENCY'?" in done.stderr


def test_env_prints_a_page_for_documentation_that_does_not_depend_on_what_is_set(qwasr: Run) -> None:
    page = qwasr("env", "--markdown", WOOD_ANSWER="8").stdout
    assert page.startswith("# Variables\n")
    assert "| variable | default | meaning |" in page
    assert "| `WOOD_ANSWER` | `7` | what it answers | a whole number of at least 0 | `demo_shelf.WoodOptions` |" in page
    assert "| `WOOD_KEY` or `WOOD_KEY_FILE` | | what opens it |" in page


def test_plugins_lists_distribution_version_and_offers(qwasr: Run) -> None:
    (found,) = json.loads(qwasr("plugins", "--json").stdout)["plugins"]
    assert (found["name"], found["distribution"], found["version"]) == ("shelf", "demo-shelf", "1.2")
    assert [one["name"] for one in found["backends"]] == ["wood", "fire"]
    assert found["commands"] == ["hello"]
    shown = qwasr("plugins").stdout
    assert shown.startswith("shelf  demo-shelf 1.2\n  interface shelf: demo:shelf/shelf\n  backend wood for shelf\n")


def test_plugins_shows_why_one_is_not_used(qwasr: Run, environ: dict[str, str], tmp_path: Path) -> None:
    del environ["QWASR_PLUGINS"]
    (tmp_path / "site" / "demo_shelf.py").write_text("import a_library_that_is_absent\n")
    assert "not used: it cannot be imported: ModuleNotFoundError" in qwasr("plugins").stdout


def test_inspect_shows_what_satisfies_each_import(qwasr: Run, write_component: Make) -> None:
    path = write_component("asking")
    report = json.loads(qwasr("inspect", "--json", path).stdout)
    (wanted,) = report["imports"]
    assert (wanted["name"], wanted["version"]) == ("demo:shelf/shelf@0.1.0", "0.1.0")
    assert (wanted["provider"], wanted["backend"], wanted["why"]) == ("shelf", "wood", "default")
    assert wanted["functions"] == ["ask"]
    assert report["exports"] == [
        {"name": "demo:shelf/handler@0.1.0", "interface": "demo:shelf/handler", "version": "0.1.0", "served": True}
    ]
    assert "demo:shelf/shelf@0.1.0  shelf/wood  default" in qwasr("inspect", path).stdout
    assert "    ask\n" in qwasr("inspect", "--functions", path).stdout


def test_inspect_shows_an_import_that_nothing_provides(qwasr: Run, write_component: Make) -> None:
    shown = qwasr("inspect", write_component("asking"), QWASR_PLUGINS="").stdout
    assert "demo:shelf/shelf@0.1.0  MISSING  no plug-in that provides it is known" in shown


def test_compile_writes_beside_the_source_and_run_takes_it_when_allowed(
    qwasr: Run, environ: dict[str, str], write_component: Make
) -> None:
    path = write_component("command", body="i32.const 0")
    assert qwasr("compile", path).returncode == 0
    compiled = path.with_suffix(".cwasm")
    refused = qwasr("run", compiled)
    assert refused.returncode == 3
    assert "--allow-precompiled" in refused.stderr
    assert qwasr("run", "--allow-precompiled", compiled).returncode == 0
    assert qwasr("run", compiled, QWASR_ALLOW_PRECOMPILED="1").returncode == 0


def test_compile_writes_to_a_file_or_into_a_folder(qwasr: Run, tmp_path: Path, write_component: Make) -> None:
    path = write_component("plain")
    assert qwasr("compile", path, "-o", tmp_path / "other.bin").returncode == 0
    assert qwasr("compile", path, "-o", f"{tmp_path}/new/").returncode == 0
    assert (tmp_path / "other.bin").stat().st_size == (tmp_path / "new" / "plain.cwasm").stat().st_size


def test_compile_does_not_overwrite_the_component(qwasr: Run, write_component: Make) -> None:
    path = write_component("plain")
    refused = qwasr("compile", path, "-o", path)
    assert refused.returncode == 2
    assert path.read_text().lstrip().startswith("(component")


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1)])
def test_a_command_component_is_run_once_and_its_result_is_the_exit_code(
    qwasr: Run, write_component: Make, code: int, expected: int
) -> None:
    assert qwasr("run", write_component("command", body=f"i32.const {code}")).returncode == expected


def test_a_command_component_that_traps_is_exit_code_1_with_its_backtrace_in_the_log(
    qwasr: Run, write_component: Make
) -> None:
    done = qwasr("run", write_component("command", body="unreachable"))
    assert done.returncode == 1
    assert "ERROR qwasr.guest [" in done.stderr
    assert "wasm function" in done.stderr


def test_a_component_without_a_served_export_is_exit_code_3_with_what_it_exports(
    qwasr: Run, write_component: Make
) -> None:
    done = qwasr("run", write_component("plain"))
    assert done.returncode == 3
    assert "It exports: add, spin, trap." in done.stderr


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        ({"QWASR_CONCURRENCY": "none"}, 2, "QWASR_CONCURRENCY=none does not fit: expected a whole number"),
        ({"WOOD_ANSWER": "-1"}, 2, "WOOD_ANSWER=-1 does not fit"),
        ({"QWASR_SHELF": "wod"}, 2, "Did you mean 'wood'?"),
        ({"QWASR_LOG_LEVEL": "loud"}, 2, "one of debug, info, warning, error"),
        ({"QWASR_ENV_FILE": "absent.env"}, 2, "cannot read the environment file absent.env"),
        ({"QWASR_PLUGINS": "shelv"}, 4, "Did you mean 'shelf'?"),
        ({"QWASR_PLUGINS": ""}, 4, "demo:shelf/shelf"),
        ({"QWASR_SHELF": "fire"}, 5, "fire is out; light it"),
        ({"TAKEN": "1"}, 6, "the address is taken"),
    ],
)
def test_an_error_is_one_paragraph_with_its_own_exit_code(
    qwasr: Run, write_component: Make, variables: dict[str, str], code: int, message: str
) -> None:
    done = qwasr("run", write_component("asking"), **variables)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("qwasr: ")


def test_a_missing_file_is_exit_code_3(qwasr: Run, tmp_path: Path) -> None:
    done = qwasr("run", tmp_path / "absent.wasm")
    assert (done.returncode, done.stderr) == (3, f"qwasr: {tmp_path / 'absent.wasm'} does not exist\n")


def test_an_unknown_flag_is_exit_code_2(qwasr: Run) -> None:
    assert qwasr("run", "--nonsense").returncode == 2


def test_unknown_imports_can_be_linked_as_traps(environ: dict[str, str], write_component: Make) -> None:
    environ["QWASR_PLUGINS"] = ""
    with start(environ, "--trap-unknown-imports", write_component("asking")) as process:
        assert process.stderr is not None
        assert "nothing provides demo:shelf/shelf@0.1.0" in process.stderr.read()
    assert process.returncode == 3  # linked, and then there is nothing to serve
