from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.call import current_call
from qwasr.cli._process_flags import with_process
from qwasr.command import Command, CommandCall, run_command
from qwasr.errors import ComponentError, GuestExit, GuestTrap, OptionError
from qwasr.hooks import Interface
from qwasr.hosting import HostInterface
from qwasr.runtime import Runtime, RuntimeOptions
from qwasr.settings import Layer, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Any]

OFFLINE = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}  # nothing installed, nothing kept
HURRIED = RuntimeOptions(guest_timeout_s=0.05, guest_cpu_s=0.05, reuse=10, cache_dir="off")
SPIN = "(loop br 0) unreachable"

# A command that asks its host once, and returns what it says: 0 is ok.
ASKING_COMMAND = """
(component
  (import "demo:shelf/shelf@0.1.0" (instance $shelf (export "ask" (func (result u32)))))
  (core func $ask (canon lower (func $shelf "ask")))
  (core module $m
    (import "shelf" "ask" (func $ask (result i32)))
    (global $calls (mut i32) (i32.const 0))
    (func (export "run") (result i32)
      (if (global.get $calls) (then unreachable))
      (global.set $calls (i32.const 1))
      call $ask))
  (core instance $i (instantiate $m (with "shelf" (instance (export "ask" (func $ask))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
"""


class Shelf(HostInterface, wit="demo:shelf/shelf"):
    """Says what a test wants, within the call."""

    answer: Callable[[], int]

    def __init__(self, backends: object) -> None: ...

    def ask(self) -> int:
        return type(self).answer()


class Stream:
    """A standard stream that notes what happens to it."""

    def __init__(self, end: BaseException | None = None) -> None:
        self.seen: list[str] = []
        self._end = end

    async def finish(self) -> None:
        self.seen.append("finished")
        if self._end is not None:
            raise self._end

    def release(self) -> None:
        self.seen.append("released")


@pytest.fixture
def asked(plugin: Make) -> Callable[..., Runtime]:
    """A runtime of the command above, with what it is answered."""

    def make(answer: Callable[[], int], options: RuntimeOptions | None = None) -> Runtime:
        host = type("Asked", (Shelf,), {"answer": staticmethod(answer)}, wit="demo:shelf/shelf")

        class Wood:
            name, provides, schemes, Options = "wood", ("shelf",), (), RuntimeOptions

        shelf = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [host], default="wood")
        registered = plugin(interfaces=[shelf])
        return Runtime(
            ASKING_COMMAND.encode(), environ=OFFLINE, options=options, plugins=[registered], backends={"shelf": Wood()}
        )

    return make


@pytest.mark.parametrize("code", [0, 1])
async def test_what_a_command_returns_is_its_exit_code(write_component: Make, code: int) -> None:
    async with Runtime(write_component("command", body=f"i32.const {code}"), environ=OFFLINE) as runtime:
        assert await run_command(runtime.guest, Command()) == code


async def test_a_component_that_is_no_command_is_an_error(plain: bytes) -> None:
    async with Runtime(plain, environ=OFFLINE) as runtime:
        with pytest.raises(ComponentError, match="wasi:cli/run"):
            await run_command(runtime.guest, Command())


async def test_a_command_that_traps_raises(write_component: Make) -> None:
    async with Runtime(write_component("command", body="unreachable"), environ=OFFLINE) as runtime:
        with pytest.raises(GuestTrap):
            await run_command(runtime.guest, Command())


async def test_a_command_computes_for_as_long_as_it_likes_until_it_is_cancelled(write_component: Make) -> None:
    async with Runtime(write_component("command", body=SPIN), environ=OFFLINE, options=HURRIED) as runtime:
        running = asyncio.create_task(run_command(runtime.guest, Command()))
        await asyncio.sleep(0.3)
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_every_run_is_a_fresh_instance_also_where_instances_are_reused(asked: Make) -> None:
    async with asked(lambda: 0, HURRIED) as runtime:
        assert [await run_command(runtime.guest, Command()) for _ in range(3)] == [0, 0, 0]


async def test_host_functions_see_what_the_command_is_given(asked: Make) -> None:
    command, seen = Command(arguments=("a",), environment={"KEY": "hush"}), []

    def answer() -> int:
        seen.append(current_call().command)
        return 0

    async with asked(answer) as runtime:
        await run_command(runtime.guest, command)
    assert seen == [command]
    assert "hush" not in repr(command)


async def test_other_calls_have_no_command(asked: Make) -> None:
    seen: list[object] = []

    def answer() -> int:
        seen.append(current_call().command)
        return 0

    async with asked(answer) as runtime:
        await runtime.call("wasi:cli/run", "run")
    assert seen == [None]


def attached(stream: Stream, *, code: int | None = None) -> Callable[[], int]:
    def answer() -> int:
        call = current_call()
        assert isinstance(call, CommandCall)
        call.streams["stdout"] = stream
        if code is not None:
            raise GuestExit(code)
        return 0

    return answer


async def test_what_a_command_wrote_leaves_before_the_exit_code_is_known(asked: Make) -> None:
    stream = Stream()
    async with asked(attached(stream, code=7)) as runtime:
        assert await run_command(runtime.guest, Command()) == 7
    assert stream.seen == ["finished", "released"]


async def test_a_reader_that_goes_at_the_end_is_the_exit_code(asked: Make) -> None:
    stream = Stream(GuestExit(141))
    async with asked(attached(stream)) as runtime:
        assert await run_command(runtime.guest, Command()) == 141
    assert stream.seen == ["finished", "released"]


async def test_what_a_command_wrote_before_it_trapped_leaves_too(asked: Make) -> None:
    stream = Stream()

    def answer() -> int:
        attached(stream)()
        raise GuestTrap("enough")

    async with asked(answer) as runtime:
        with pytest.raises(GuestTrap):
            await run_command(runtime.guest, Command())
    assert stream.seen == ["finished", "released"]


async def test_a_stream_that_fails_at_the_end_keeps_no_other_from_being_written(asked: Make) -> None:
    failing, other = Stream(GuestExit(1)), Stream()

    def answer() -> int:
        call = current_call()
        assert isinstance(call, CommandCall)
        call.streams.update(stdout=failing, stderr=other)
        return 0

    async with asked(answer) as runtime:
        assert await run_command(runtime.guest, Command()) == 1
    assert other.seen == ["finished", "released"]


def settings(**values: str) -> Settings:
    return Settings([Layer("environment", values)])


def test_the_command_line_wins_over_arguments_and_adds_to_variables() -> None:
    before = settings(QWASR_GUEST_ARGS="old", QWASR_ENV_ALLOW="HOME", QWASR_GUEST_ENV="A=1", QWASR_MOUNTS="/a:/a")
    after = with_process(before, ["-n", "two words"], ["LANG", "B=it's"], ["/b:/b:rw", "/c:/c"])
    assert {name: after[name] for name in before} == {
        "QWASR_GUEST_ARGS": "-n 'two words'",
        "QWASR_ENV_ALLOW": "HOME,LANG",
        "QWASR_GUEST_ENV": "A=1 'B=it'\"'\"'s'",
        "QWASR_MOUNTS": "/b:/b:rw,/c:/c",
    }
    assert after.source("QWASR_GUEST_ARGS") == "arguments after --"
    assert after.source("QWASR_MOUNTS") == "--mount"


def test_a_command_line_that_says_nothing_changes_nothing() -> None:
    before = settings(QWASR_GUEST_ARGS="old")
    assert with_process(before, [], [], []) is before


@pytest.mark.parametrize(
    ("variables", "mounts", "message"),
    [
        (["=hush"], [], "--env needs NAME or NAME=VALUE"),
        (["A,B"], [], "--env A --env B"),
        ([], ["/a,b:/a"], "--mount: .* commas"),
        ([], ["/a:/a", " "], "--mount needs HOST:GUEST"),
    ],
)
def test_what_cannot_be_followed_is_an_option_error(variables: list[str], mounts: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        with_process(settings(), [], variables, mounts)
    assert "hush" not in str(caught.value)
