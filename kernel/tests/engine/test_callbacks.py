"""What the library's frames must never see: an exception that gets past a callback's own handlers.

The window is a few bytecodes wide, at a callback's beginning and end; a signal can hit it. Here reading the running
store raises there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.engine.resources import Running
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from qwasr.engine import Engine, LinkedComponent

NUMBER = '(param "n" u32) (result u32)'
GUEST = guest(
    """
    (func (export "plain") (param i32) (result i32) (call $plain (local.get 0)))
    (func (export "waiting") (param i32) (result i32) (call $waiting (local.get 0)))
    (func (export "drop") (param i32) (result i32) (call $drop.thing (call $constructor.thing)) (local.get 0))
    (func (export "blind") (param i32) (result i32) (drop (call $flag)) (call $plain (local.get 0)))""",
    {"plain": NUMBER, "waiting": NUMBER, "drop": NUMBER, "blind": NUMBER},
    Imports(
        "test:host/api",
        {"[constructor]thing": "(result (own $thing))", "plain": NUMBER, "waiting": NUMBER, "flag": "(result bool)"},
        types=resource("thing"),
        resources=("thing",),
    ),
)


class Thing(HostResource):
    pass


class Api(HostInterface, wit="test:host/api", resources=(Thing,)):
    def __init__(self) -> None:
        self.seen: list[int] = []

    def plain(self, n: int) -> int:
        self.seen.append(n)
        return n + 1

    async def waiting(self, n: int) -> int:
        self.seen.append(n)
        return n + 1

    def flag(self) -> bool:
        return True


class Interrupted(Running):
    """Raises once, the n-th time that anyone asks for the running store."""

    __slots__ = ()
    after = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "store":
            Interrupted.after -= 1
            if Interrupted.after == 0:
                raise KeyboardInterrupt
        return super().__getattribute__(name)


@pytest.fixture
def host() -> Api:
    return Api()


@pytest.fixture
def linked(engine: Engine, host: Api) -> LinkedComponent:
    linked = engine.link(engine.load(GUEST), [host])
    running: Any = linked.running
    running.__class__ = Interrupted
    return linked


@pytest.mark.parametrize(("name", "after"), [("plain", 1), ("waiting", 1), ("waiting", 2), ("drop", 1), ("drop", 2)])
async def test_an_exception_that_escapes_a_callback_ends_the_call_and_nothing_else(
    linked: LinkedComponent, host: Api, name: str, after: int
) -> None:
    Interrupted.after = after
    with pytest.raises(KeyboardInterrupt):
        await call(linked, name, 5)
    assert Interrupted.after <= 0
    assert await call(linked, name, 7) == (7 if name == "drop" else 8), "the next guest is unharmed"


async def test_a_guest_does_not_go_on_with_the_zeros_of_a_callback_that_failed(
    linked: LinkedComponent, host: Api
) -> None:
    Interrupted.after = 1
    with pytest.raises(KeyboardInterrupt):
        await call(linked, "blind", 5)
    assert host.seen == [], "zero would have been a good answer for a bool"
