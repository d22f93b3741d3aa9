from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest

from qwasr.checkup import Checkup
from qwasr.diagnosis import HINTS
from qwasr.errors import BackendError
from qwasr.hooks import Interface
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions, env
from qwasr.probing import try_to_bind
from qwasr.settings import Layer, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from qwasr.findings import Finding

    Make = Callable[..., Any]
    Examine = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions(ConnectOptions):
    port: int = env("WIRE_PORT", default=1, address=True, help="where it listens")
    retries: int = env("WIRE_RETRIES", default=1, help="how often it is tried again")
    password: str = env("WIRE_PASSWORD", default="", secret=True, help="what it asks for")


class Wire:
    """A backend that speaks to a real socket: it says its password, and is answered with a line."""

    name, provides, schemes = "wire", ("shelf",), ()
    Options: type[ConnectOptions] = WireOptions

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    @classmethod
    async def connect(cls, options: Any) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", options.port)
        try:
            writer.write(f"{options.password}\n".encode())
            return cls(await reader.readline())
        finally:
            writer.close()

    async def check(self) -> None:
        if self.answer != b"welcome\n":
            raise BackendError(f"the wire says {self.answer.decode().strip()}")

    async def close(self) -> None: ...


class Wood(Wire):
    """A backend whose data is in its process."""

    name, Options, per_process = "wood", ConnectOptions, True

    @classmethod
    async def connect(cls, options: Any) -> Self:
        return cls(b"welcome\n")


class Shelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends: Any) -> None: ...

    def ask(self) -> int:
        return 7


class OldShelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends: Any) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOptions(ConnectOptions):
    port: int = env("DOOR_PORT", default=0, minimum=0, maximum=65535, help="where to listen")


class Door:
    """A server that would listen, and is never started."""

    export, Options = "demo:shelf/handler", DoorOptions

    def __init__(self, options: DoorOptions) -> None:
        self.port = options.port

    async def check(self) -> None:
        await try_to_bind("127.0.0.1", self.port, "DOOR_PORT")

    async def start(self, guest: Any) -> None:
        raise AssertionError

    async def drain(self, timeout_s: float) -> None: ...

    async def close(self) -> None: ...

    def describe(self) -> str:
        return f"door {self.port}"


@pytest.fixture
def examine(plugin: Make, write_component: Make, tmp_path: Path) -> Examine:
    """Examine a component that asks a shelf and has a door; give what was found by subject."""

    async def examine(
        component: Path | None = None, hosts: tuple[Any, ...] = (Shelf,), **variables: str
    ) -> dict[str, Finding]:
        interface = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: hosts, default="wood")
        stranger = plugin(interfaces=[interface], backends=[Wire, Wood], servers=[Door])
        environ = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": str(tmp_path / "cache"), **variables}
        settings = Settings([Layer("flag", {}), Layer("environment", environ)])
        checkup = Checkup(component or write_component("asking"), settings, plugins=[stranger], connect_s=0.5)
        return {finding.subject: finding for finding in await checkup.examine()}

    return examine


@pytest.fixture
async def service() -> AsyncIterator[Callable[..., Any]]:
    """Start a service that answers the password ``sesame`` with a welcome; gives its port."""
    servers: list[asyncio.Server] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        good = await reader.readline() == b"sesame\n"
        writer.write(b"welcome\n" if good else b"wrong password\n")
        writer.close()

    async def start() -> str:
        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        return str(servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


async def test_what_would_run_has_nothing_in_its_way(examine: Examine) -> None:
    found = await examine()
    assert [one.failed for one in found.values()] == [""] * len(found)
    assert list(found) == ["component", "shelf", "instance", "demo:shelf/handler"]
    assert found["demo:shelf/handler"].says == "would be served at door 0"


async def test_an_import_shows_its_plugin_backend_and_variables_with_their_sources(
    examine: Examine, service: Any
) -> None:
    shelf = (await examine(QWASR_SHELF="wire", WIRE_PORT=await service(), WIRE_PASSWORD="sesame"))["shelf"]
    assert (shelf.failed, shelf.imports, shelf.plugin, shelf.backend) == (
        "",
        ("demo:shelf/shelf@0.1.0",),
        "plug-in stranger",
        "wire",
    )
    assert shelf.says.startswith("wire (QWASR_SHELF=wire), answered in ")
    assert [(one.name, one.set_by) for one in shelf.variables] == [
        ("WIRE_PORT", "environment"),
        ("WIRE_RETRIES", ""),
        ("WIRE_PASSWORD", "environment"),
    ]
    assert "sesame" not in repr(shelf)


async def test_a_secret_in_a_file_shows_the_file(examine: Examine, service: Any, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("sesame\n")
    variables = {"WIRE_PORT": await service(), "WIRE_PASSWORD_FILE": str(tmp_path / "password")}
    shelf = (await examine(QWASR_SHELF="wire", **variables))["shelf"]
    assert shelf.failed == ""
    assert (shelf.variables[2].name, shelf.variables[2].value) == ("WIRE_PASSWORD_FILE", str(tmp_path / "password"))


async def test_a_service_that_is_not_there_is_named_with_cause_and_variable(examine: Examine) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        shelf = (await examine(QWASR_SHELF="wire", WIRE_PORT=str(bound.getsockname()[1])))["shelf"]
    assert (shelf.cause, shelf.exit_code) == ("refused", 5)
    assert "WIRE_PORT" in shelf.hint


async def test_a_service_that_does_not_answer_is_given_up(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shelf = (await examine(QWASR_SHELF="wire", WIRE_PORT=str(silent.getsockname()[1])))["shelf"]
    assert (shelf.cause, shelf.failed) == ("timeout", "no answer within 0.5 s")


async def test_a_backend_that_is_connected_and_not_usable_is_a_failure(examine: Examine, service: Any) -> None:
    shelf = (await examine(QWASR_SHELF="wire", WIRE_PORT=await service(), WIRE_PASSWORD="sesam"))["shelf"]
    assert (shelf.cause, shelf.failed) == ("authentication", "the wire says wrong password")


async def test_a_misspelt_variable_is_the_likelier_cause(examine: Examine) -> None:
    shelf = (await examine(QWASR_SHELF="wire", WRIE_PORT="7"))["shelf"]
    assert shelf.cause == "misspelt variable"
    assert shelf.hint == "WRIE_PORT is set and nothing reads it: did you mean WIRE_PORT?"


async def test_a_misspelt_variable_that_cannot_be_the_cause_is_only_mentioned(examine: Examine) -> None:
    slip = "WIRE_RETRIE is set and nothing reads it: did you mean WIRE_RETRIES?"
    shelf = (await examine(QWASR_SHELF="wire", WIRE_RETRIE="7"))["shelf"]
    assert shelf.cause == "refused"
    assert shelf.hint == f"{HINTS['refused'].format(address='WIRE_PORT')}; {slip}"


async def test_a_set_address_is_not_thought_to_be_misspelt(examine: Examine) -> None:
    shelf = (await examine(QWASR_SHELF="wire", WIRE_PORT="1", WIRE_PROT="7"))["shelf"]
    assert shelf.cause == "refused"


async def test_memory_with_several_workers_is_in_the_way(examine: Examine) -> None:
    shelf = (await examine(QWASR_WORKERS="2"))["shelf"]
    assert (shelf.cause, shelf.exit_code) == ("one process", 2)
    assert "each of 2 workers would have its own" in shelf.failed


async def test_each_store_is_tried_by_itself(examine: Examine) -> None:
    found = await examine(QWASR_SHELF__FAR="wire", QWASR_SHELF__NEAR="wood")
    assert found["shelf"].failed == found["shelf store NEAR"].failed == ""
    assert found["shelf store FAR"].cause == "refused"


@pytest.mark.parametrize(
    ("variables", "subject", "cause", "words"),
    [
        ({"QWASR_SHELF": "wod"}, "shelf", "not installed", "Did you mean 'wood'?"),
        ({"QWASR_SHELF": "redis"}, "shelf", "not installed", "pip install mik-backend-redis"),
        ({"QWASR_SHELF": "wire", "WIRE_PORT": "x"}, "shelf", "value", "WIRE_PORT=x does not fit"),
        ({"QWASR_QUEUE": "-1"}, "settings", "value", "QWASR_QUEUE=-1 does not fit"),
        ({"DOOR_PORT": "70000"}, "demo:shelf/handler", "value", "DOOR_PORT=70000 does not fit"),
        ({"ADMIN_ADDR": "here"}, "ADMIN_ADDR", "address", "ADMIN_ADDR=here does not fit"),
    ],
)
async def test_what_is_set_wrong_is_named(
    examine: Examine, variables: dict[str, str], subject: str, cause: str, words: str
) -> None:
    found = (await examine(**variables))[subject]
    assert (found.cause, found.exit_code) == (cause, 2)
    assert words in found.failed


async def test_all_that_is_in_the_way_is_found_in_one_look(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = await examine(
            QWASR_SHELF="wire", QWASR_QUEUE="many", DOOR_PORT=str(taken.getsockname()[1]), QWASR_XYZZY="1"
        )
    assert {one.subject for one in found.values() if one.failed} == {"settings", "shelf", "demo:shelf/handler"}
    assert "Address already in use" in found["demo:shelf/handler"].failed
    assert found["warning"].says == "nothing reads the variable QWASR_XYZZY."


async def test_a_host_that_does_not_fit_the_component_is_found(examine: Examine) -> None:
    assert "ask" in (await examine(hosts=(OldShelf,)))["instance"].failed


async def test_a_limit_that_is_too_low_for_the_component_is_found(examine: Examine, tmp_path: Path) -> None:
    large = tmp_path / "large.wat"
    large.write_text("(component (core module $m (memory 4)) (core instance (instantiate $m)))")
    found = await examine(large, QWASR_GUEST_MEMORY_BYTES="131072")
    assert found["instance"].failed
    assert (await examine(large))["instance"].failed == ""


async def test_a_file_that_is_no_component_is_the_only_thing_said(examine: Examine, tmp_path: Path) -> None:
    found = await examine(tmp_path / "absent.wasm")
    assert list(found) == ["component"]
    assert (found["component"].cause, found["component"].exit_code) == ("component", 3)


async def test_a_component_without_anything_to_serve_would_not_run(examine: Examine, write_component: Make) -> None:
    found = await examine(write_component("plain"))
    assert (found["exports"].cause, found["exports"].exit_code) == ("nothing to serve", 3)


async def test_a_command_would_be_run_once(examine: Examine, write_component: Make) -> None:
    found = await examine(write_component("command", body="i32.const 0"))
    assert found["wasi:cli/run"].says == "run once, as a command"


async def test_an_address_that_is_taken_is_found_without_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = await asyncio.gather(try_to_bind("127.0.0.1", port, "SHELF_ADDR"), return_exceptions=True)
    assert [str(error) for error in failed] == [
        f"cannot listen on 127.0.0.1:{port} (SHELF_ADDR): Address already in use"
    ]
    await try_to_bind("127.0.0.1", port, "SHELF_ADDR")


def doctor(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the doctor in an environment without any plug-in."""
    return qwasr("doctor", *arguments, **variables)


def qwasr(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "qwasr.cli", *map(str, arguments)]
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QWASR_")}
    environ |= {"QWASR_PLUGINS": "", **variables}
    return subprocess.run(words, capture_output=True, text=True, env=environ, timeout=30, check=False)


def test_the_command_says_what_is_missing_and_exits_with_the_code_of_run(write_component: Make) -> None:
    done = doctor(write_component("asking"))
    assert done.returncode == 4
    assert "FAILS  demo:shelf\n" in done.stdout
    assert "not installed: nothing provides demo:shelf/shelf@0.1.0" in done.stdout
    assert "hint: no plug-in that provides it is known" in done.stdout
    assert done.stdout.endswith("asking.wat would not run: 2 things are in the way.\n")


def test_the_command_exits_with_0_when_it_would_run(write_component: Make) -> None:
    done = doctor(write_component("command", body="i32.const 0"))
    assert done.returncode == 0
    assert done.stdout.endswith("command.wat would run.\n")


@pytest.mark.parametrize("flag", [("--workers", "2"), ("--admin-address", "127.0.0.1:0")])
def test_a_command_does_not_run_in_workers_as_the_doctor_says(write_component: Make, flag: tuple[str, str]) -> None:
    component = write_component("command", body="i32.const 0")
    done, ran = doctor(component, *flag), qwasr("run", component, *flag)
    assert done.returncode == ran.returncode == 3
    advice = "run it without --workers (QWASR_WORKERS) and --admin-address (ADMIN_ADDR)"
    assert f"hint: a command runs once, in one process: {advice}" in done.stdout
    assert advice in ran.stderr


def test_unknown_imports_may_be_traps(write_component: Make) -> None:
    done = doctor(write_component("asking"), "--trap-unknown-imports")
    assert "note   nothing provides demo:shelf/shelf@0.1.0: its functions trap when they are called" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--env-file", "absent.env"), "cannot read the environment file absent.env"),
        (("--config-file", "absent.toml"), "absent.toml"),
        (("--mount", ""), "--mount needs HOST:GUEST"),
    ],
)
def test_settings_that_cannot_be_read_are_a_finding(
    write_component: Make, arguments: tuple[str, ...], words: str
) -> None:
    done = doctor(write_component("asking"), "--json", *arguments)
    report = json.loads(done.stdout)
    assert done.returncode == report["findings"][0]["exit_code"] == 2
    assert [(one["subject"], one["cause"]) for one in report["findings"]] == [("settings", "value")]
    assert words in report["findings"][0]["failed"]


def test_the_command_takes_folders_variables_and_arguments_as_run_does(write_component: Make) -> None:
    component = write_component("command", body="i32.const 0")
    done = doctor(component, "--mount", ".:/", "--env", "LANG", "--", "-n")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_prints_json_for_programs(write_component: Make) -> None:
    report = json.loads(doctor(write_component("asking"), "--json").stdout)
    assert report["would_run"] is False
    assert [one["cause"] for one in report["findings"] if one["failed"]] == ["not installed", "nothing to serve"]
