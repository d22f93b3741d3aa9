"""A guest under test, with plug-ins made on the spot."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qwasr.errors import ComponentError, CpuLimitExceeded, LinkError
from qwasr.hooks import Fake, Interface
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions
from qwasr.testing import Call, FakeBackend, Guest
from qwasr.testing.guest import Engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OFFLINE = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}


class FakeShelf(FakeBackend):
    provides = ("shelf",)
    closed = 0
    server: Any = None

    async def ask(self) -> int:
        await self.step("ask")
        return round(self.clock()) + self.clock.seed

    def shout(self) -> str:
        return "HEY"

    async def close(self) -> None:
        type(self).closed += 1


class Shelf(HostInterface, wit="demo:shelf/shelf"):
    def __init__(self, backends: Any) -> None:
        self._backends = backends

    async def ask(self) -> int:
        answer: int = await self._backends.default.ask()
        return answer


class RealServer:
    """The installed server, which must not be started in a test that has another one."""

    export: ClassVar[str] = "demo:shelf/handler"
    Options: ClassVar[type[ConnectOptions]] = ConnectOptions
    started = 0

    def __init__(self, options: ConnectOptions) -> None:
        self.options = options

    async def start(self, guest: Any) -> None:
        type(self).started += 1

    async def drain(self, timeout_s: float) -> None:
        raise AssertionError("a test that is over does not wait for what runs")

    async def close(self) -> None:
        type(self).started -= 1

    def describe(self) -> str:
        return "here"


class TestServer(RealServer):
    __test__ = False
    started = 0


@pytest.fixture
def shelf(plugin: Callable[..., Any]) -> Callable[..., Any]:
    def make(**fake: Any) -> Any:
        return plugin(
            interfaces=[Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [Shelf])],
            servers=[RealServer],
            fakes=[Fake(interface="shelf", make=FakeShelf, **fake)],
        )

    return make


@pytest.fixture
def engines() -> Iterator[Engines]:
    engines = Engines()
    yield engines
    engines.close()


async def test_the_fake_of_an_interface_is_an_attribute_of_the_guest(asking: bytes, shelf: Any) -> None:
    async with Guest(asking, environ=OFFLINE, plugins=[shelf()]) as guest:
        assert await guest.call("demo:shelf/handler", "run") == 0
        assert guest.shelf.calls == [Call("ask")]


async def test_clock_and_seed_of_the_test_are_those_of_the_fake(asking: bytes, shelf: Any) -> None:
    async with Guest(asking, environ=OFFLINE, plugins=[shelf()], seed=40) as guest:
        guest.clock.advance(2)
        assert await guest.call("demo:shelf/handler", "run") == 42


async def test_each_guest_has_fakes_of_its_own_which_are_closed_with_it(
    asking: bytes, shelf: Any, engines: Engines
) -> None:
    FakeShelf.closed = 0
    seen = []
    for closed in (0, 1):
        async with Guest(asking, environ=OFFLINE, plugins=[shelf()], engines=engines) as guest:
            assert FakeShelf.closed == closed
            seen.append(guest.shelf)
    assert seen[0] is not seen[1]
    assert FakeShelf.closed == 2


async def test_a_fake_that_does_not_close_is_logged_and_keeps_nothing_open(
    asking: bytes, shelf: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: FakeShelf) -> None:
        raise ValueError("stuck")

    monkeypatch.setattr(FakeShelf, "close", fail)
    with caplog.at_level(logging.ERROR):
        async with Guest(asking, environ=OFFLINE, plugins=[shelf()]):
            pass
    assert "the fake of shelf does not close cleanly" in caplog.text


async def test_shortcuts_of_a_fake_are_the_guests(asking: bytes, shelf: Any) -> None:
    async with Guest(asking, environ=OFFLINE, plugins=[shelf(shortcuts=("shout",))]) as guest:
        assert guest.shout() == "HEY"


async def test_what_no_fake_has_is_an_error_that_says_what_there_is(asking: bytes, shelf: Any) -> None:
    async with Guest(asking, environ=OFFLINE, plugins=[shelf()]) as guest:
        with pytest.raises(AttributeError, match="has no 'keyvalue'; it imports shelf"):
            _ = guest.keyvalue


def test_there_is_no_fake_before_the_guest_is_there(asking: bytes) -> None:
    with pytest.raises(AttributeError, match="before its block is entered"):
        _ = Guest(asking).shelf


async def test_an_installed_server_serves_until_the_test_is_over(asking: bytes, shelf: Any) -> None:
    RealServer.started = 0
    async with Guest(asking, environ=OFFLINE, plugins=[shelf()]):
        assert RealServer.started == 1
    assert RealServer.started == 0


async def test_a_fakes_server_takes_the_place_of_the_installed_one(asking: bytes, shelf: Any) -> None:
    RealServer.started = TestServer.started = 0
    async with Guest(asking, environ=OFFLINE, plugins=[shelf(servers=lambda: [TestServer])]) as guest:
        assert (RealServer.started, TestServer.started) == (0, 1)
        assert isinstance(guest.shelf.server, TestServer)


async def test_a_server_that_does_not_start_leaves_nothing_behind(
    asking: bytes, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeShelf.closed = 0

    async def fail(self: RealServer, guest: Any) -> None:
        raise ValueError("taken")

    monkeypatch.setattr(RealServer, "start", fail)
    with pytest.raises(ValueError, match="taken"):
        async with Guest(asking, environ=OFFLINE, plugins=[shelf()]):
            pass
    assert FakeShelf.closed == 1


async def test_a_backend_of_the_test_wins_over_the_fake(asking: bytes, shelf: Any) -> None:
    class Mine:
        async def ask(self) -> int:
            return 7

    async with Guest(asking, environ=OFFLINE, plugins=[shelf()], backends={"shelf": Mine()}) as guest:
        assert await guest.call("demo:shelf/handler", "run") == 7


async def test_no_variable_of_the_developer_is_read(asking: bytes, shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWASR_SHELF", "nowhere")
    monkeypatch.setenv("QWASR_GUEST_TIMEOUT_S", "no number")
    async with Guest(asking, environ=OFFLINE, plugins=[shelf()]) as guest:
        assert guest.runtime.guest.timeout_s == 30


async def test_variables_of_the_test_are_read(plain: bytes) -> None:
    async with Guest(plain, environ={**OFFLINE, "QWASR_GUEST_CPU_S": "0.5"}) as guest:
        assert await guest.call(None, "add", 1, 2) == 3
        with pytest.raises(CpuLimitExceeded, match="QWASR_GUEST_CPU_S"):
            await guest.call(None, "spin")


async def test_a_component_is_compiled_once_for_all_tests(plain: bytes, engines: Engines) -> None:
    compiled = []
    for _ in range(2):
        async with Guest(plain, environ=OFFLINE, engines=engines) as guest:
            compiled.append(guest.runtime.guest._linked.component)
            assert await guest.call(None, "add", 1, 2) == 3
    assert compiled[0] is compiled[1]


async def test_a_file_that_changed_is_compiled_again(tmp_path: Path, plain: bytes, engines: Engines) -> None:
    path = tmp_path / "guest.wat"
    path.write_bytes(plain)
    async with Guest(path, environ=OFFLINE, engines=engines) as guest:
        assert await guest.call(None, "add", 1, 2) == 3
    path.write_bytes(plain.replace(b"i32.add", b"i32.sub") + b"\n")
    async with Guest(path, environ=OFFLINE, engines=engines) as guest:
        assert await guest.call(None, "add", 3, 2) == 1


async def test_a_component_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="does not exist"):
        async with Guest(tmp_path / "none.wasm", environ=OFFLINE):
            pass


async def test_an_import_that_nothing_provides_is_an_error(asking: bytes) -> None:
    with pytest.raises(LinkError, match="demo:shelf/shelf"):
        async with Guest(asking, environ=OFFLINE):
            pass


async def test_what_the_guest_brings_about_by_itself_is_waited_for(plain: bytes) -> None:
    answers = iter([False, False, True])
    async with Guest(plain, environ=OFFLINE) as guest:
        await guest.until(lambda: next(answers))
        with pytest.raises(TimeoutError):
            await guest.until(lambda: False, timeout_s=0.01)
