"""What the command line says of variables: listing, explaining, completing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Make = Callable[..., Any]

# An interface with a backend and its secret, as another package would bring them.
PLUGIN = """
from dataclasses import dataclass
from qwasr.hooks import Interface, hookimpl
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions, env

@dataclass(frozen=True, slots=True, kw_only=True)
class OakOptions(ConnectOptions):
    boards: int = env("OAK_BOARDS", default=3, minimum=1, help="how many boards")
    key: str = env("OAK_KEY", default="", secret=True, help="what opens it")

class Oak:
    name, provides, schemes, Options = "oak", ("shelf",), (), OakOptions
    @classmethod
    async def connect(cls, options): return cls()
    async def check(self): pass
    async def close(self): pass

class Elm(Oak): name = "elm"

class Shelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends): pass
    def ask(self) -> int: return 7

@hookimpl
def qwasr_register_interfaces():
    return [Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [Shelf], default="oak")]
@hookimpl
def qwasr_register_backends(): return [Oak, Elm]
"""


@pytest.fixture
def qwasr(tmp_path: Path) -> Run:
    """Run the command line where the plug-in above is installed and alone asked for, in a folder of its own."""
    site = tmp_path / "site"
    info = site / "demo_oak-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "demo_oak.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-oak\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[qwasr]\noak = demo_oak\n")
    keep = {name: text for name, text in os.environ.items() if not name.startswith(("QWASR_", "OAK_"))}
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = {**keep, "PYTHONPATH": path, "QWASR_PLUGINS": "oak", "QWASR_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "qwasr.cli", *map(str, arguments)]
        return subprocess.run(
            words, capture_output=True, text=True, env={**environ, **variables}, cwd=tmp_path, timeout=30, check=False
        )

    return run


def test_explain_says_where_a_value_comes_from_and_what_it_hides(qwasr: Run, tmp_path: Path) -> None:
    (tmp_path / "qwasr.toml").write_text("[shelf]\noak_boards = 4\n")
    (tmp_path / "more.env").write_text("OAK_BOARDS=5\n")
    done = qwasr("env", "--explain", "OAK_BOARDS", "--env-file", "more.env", OAK_BOARDS="6")
    assert done.stdout == (
        "OAK_BOARDS: how many boards\n"
        "  value   6  from environment\n"
        "  hidden  5  from more.env\n"
        "  hidden  4  from qwasr.toml [shelf] oak_boards\n"
        "  default     3\n"
        "  expected    a whole number of at least 1\n"
        "  qwasr.toml  [shelf] oak_boards\n"
        "  read by     demo_oak.OakOptions\n"
    )


def test_explain_says_when_the_default_counts(qwasr: Run) -> None:
    assert "  value  3  from the default\n" in qwasr("env", "--explain", "OAK_BOARDS").stdout


def test_an_empty_value_is_not_shown_where_empty_is_not_set(qwasr: Run, tmp_path: Path) -> None:
    assert "  value  3  from the default\n" in qwasr("env", "--explain", "OAK_BOARDS", OAK_BOARDS="").stdout
    listed = json.loads(qwasr("env", "--json", OAK_BOARDS="").stdout)["variables"]
    assert next(one for one in listed if one["name"] == "OAK_BOARDS")["set"] is False
    (tmp_path / "qwasr.toml").write_text("[shelf]\nbackend = 'elm'\n")
    assert (
        "value  elm  from qwasr.toml [shelf] backend" in qwasr("env", "--explain", "QWASR_SHELF", QWASR_SHELF="").stdout
    )


def test_explain_says_when_a_flag_counts(qwasr: Run) -> None:
    done = qwasr("env", "--explain", "OAK_BOARDS", "--set", "OAK_BOARDS=2", OAK_BOARDS="6")
    assert "value   2  from --set\n" in done.stdout
    assert "hidden  6  from environment\n" in done.stdout


def test_explain_says_what_is_wrong_with_a_value(qwasr: Run) -> None:
    assert "  problem: OAK_BOARDS=0 does not fit" in qwasr("env", "--explain", "OAK_BOARDS", OAK_BOARDS="0").stdout


def test_explain_masks_secrets_and_knows_their_files_and_single_stores(qwasr: Run) -> None:
    secret = qwasr("env", "--explain", "OAK_KEY", OAK_KEY="hunter2").stdout
    assert "value  ***  from environment" in secret
    assert "hunter2" not in secret
    from_file = qwasr("env", "--explain", "OAK_KEY", OAK_KEY_FILE="/run/key").stdout
    assert "value  ***  from environment, by OAK_KEY_FILE" in from_file
    file = qwasr("env", "--explain", "OAK_KEY_FILE", OAK_KEY_FILE="/run/key").stdout
    assert "value  /run/key  from environment" in file
    assert "qwasr.toml  [shelf] oak_key_file" in file
    store = qwasr("env", "--explain", "QWASR_SHELF__BIG", QWASR_SHELF__BIG="oak").stdout
    assert store.startswith("QWASR_SHELF__BIG: backend of the shelf store BIG, by name or URL\n  value  oak  from env")


@pytest.mark.parametrize("stronger", [{"OAK_KEY": "hunter2"}, {"OAK_KEY_FILE": "/run/key"}])
def test_explain_lists_a_secret_of_the_file_that_the_environment_hides(
    qwasr: Run, tmp_path: Path, stronger: dict[str, str]
) -> None:
    (tmp_path / "qwasr.toml").write_text("[shelf]\noak_key = 'hunter3'\n")
    said = qwasr("env", "--explain", "OAK_KEY", **stronger).stdout
    assert "  value   ***  from environment" in said
    assert "  hidden  ***  from qwasr.toml [shelf] oak_key\n" in said
    assert "hunter" not in said


def test_explain_prints_json_for_programs(qwasr: Run) -> None:
    report = json.loads(qwasr("env", "--json", "--explain", "OAK_BOARDS", OAK_BOARDS="6").stdout)
    assert (report["value"], report["set_by"], report["key"]) == ("6", "environment", "[shelf] oak_boards")


def test_explain_of_a_name_that_nothing_reads_is_an_error(qwasr: Run) -> None:
    done = qwasr("env", "--explain", "OAK_BORADS")
    assert done.returncode == 2
    assert "nothing reads the variable OAK_BORADS. Did you mean 'OAK_BOARDS'?" in done.stderr


def test_env_reads_the_file_beside_a_component_that_is_named(qwasr: Run, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "qwasr.toml").write_text("[shelf]\noak_boards = 4\n")
    report = json.loads(qwasr("env", "app/app.wasm", "--json").stdout)
    (found,) = [one for one in report["variables"] if one["name"] == "OAK_BOARDS"]
    assert (found["value"], found["set_by"]) == ("4", "app/qwasr.toml [shelf] oak_boards")


def test_a_component_runs_with_the_settings_beside_it(qwasr: Run, write_component: Make, tmp_path: Path) -> None:
    component = write_component("asking")
    (tmp_path / "qwasr.toml").write_text('[shelf]\nbackend = "elm"\n')
    assert "shelf ─── elm (QWASR_SHELF=elm from" in qwasr("inspect", "--graph", component).stdout
    (tmp_path / "qwasr.toml").write_text('[shelf]\nbakcend = "elm"\n')
    done = qwasr("run", component)
    assert done.returncode == 2
    assert "qwasr.toml: nothing reads 'bakcend' in [shelf]. Did you mean 'backend'?" in done.stderr


def test_the_graph_shows_guest_interfaces_and_backends(qwasr: Run, write_component: Make) -> None:
    done = qwasr("inspect", "--graph", write_component("asking"), QWASR_SHELF__BIG="elm")
    assert done.stdout == (
        "asking\n"
        "└─ shelf ─┬─ oak (default)\n"
        "          └─ elm (store BIG: QWASR_SHELF__BIG=elm)\n"
    )  # fmt: skip


def test_the_graph_shows_what_is_missing(qwasr: Run, write_component: Make) -> None:
    done = qwasr("inspect", "--graph", write_component("asking"), QWASR_PLUGINS="")
    assert "└─ demo:shelf ─── MISSING (no plug-in that provides it is known)" in done.stdout


def test_a_drawing_is_no_json(qwasr: Run, write_component: Make) -> None:
    done = qwasr("inspect", "--graph", "--json", write_component("asking"))
    assert (done.returncode, done.stdout) == (2, "")


def complete(qwasr: Run, *words: str) -> list[str]:
    """What bash would offer for the last word."""
    done = qwasr(_QWASR_COMPLETE="bash_complete", COMP_WORDS=" ".join(["qwasr", *words]), COMP_CWORD=str(len(words)))
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["doc"], ["doctor"]),
        (["run", "--guest-cpu"], ["--guest-cpu-s", "--guest-cpu"]),
        (["run", "--log-format", "j"], ["json"]),
        (["env", "--explain", "OAK_"], ["OAK_BOARDS", "OAK_KEY"]),
        (["run", "--set", "OAK_B"], ["OAK_BOARDS="]),
        (["new", "guest", "--lang", "r"], ["rust"]),
        (["wit", "wasi:http/pr"], ["wasi:http/proxy@0.2.12"]),
    ],
)
def test_commands_flags_and_variables_are_completed(qwasr: Run, words: list[str], offered: list[str]) -> None:
    assert complete(qwasr, *words) == offered


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete -o"), ("zsh", "#compdef qwasr"), ("fish", "complete ")])
def test_each_shell_gets_its_script(qwasr: Run, shell: str, word: str) -> None:
    done = qwasr("completion", shell)
    assert done.returncode == 0
    assert word in done.stdout


def test_the_script_works_in_bash(qwasr: Run, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None and not os.environ.get("CI"):
        pytest.skip("there is no bash on the PATH")
    assert bash is not None
    (tmp_path / "qwasr").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qwasr.cli "$@"\n')
    (tmp_path / "qwasr").chmod(0o755)
    (tmp_path / "complete").write_text(qwasr("completion", "bash").stdout)
    script = f'PATH="{tmp_path}:$PATH"; . {tmp_path}/complete; COMP_WORDS=(qwasr insp); COMP_CWORD=1; '
    script += '_qwasr_completion qwasr; echo "${COMPREPLY[@]}"'
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "inspect\n"
