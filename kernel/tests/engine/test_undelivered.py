"""Host resources that a host function returned and that the guest never got: they are dropped, wherever they sit."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.errors import HostFunctionError, HostValueError, TooManyResources
from qwasr.hosting import HostInterface, HostResource
from qwasr.values import Err, Ok, Some, Variant, WitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import LinkedComponent


class Thing(HostResource):
    made: ClassVar[list[Thing]] = []

    def __init__(self) -> None:
        self.drops = 0
        Thing.made.append(self)

    def drop(self) -> None:
        self.drops += 1


class Api(HostInterface, wit="test:host/api", resources=(Thing,)):
    """Answers with whatever the test says, at once or after a turn of the loop."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def at_once(self) -> Any:
        return self._answer()

    async def later(self) -> Any:
        await asyncio.sleep(0)
        return self._answer()

    def in_time(self) -> Awaitable[Any] | Any:
        return self._answer()


@pytest.fixture(autouse=True)
def forget() -> None:
    Thing.made.clear()


def drops() -> list[int]:
    return [thing.drops for thing in Thing.made]


def text_of(shape: str, result: str = "(list $shape)") -> bytes:
    """A guest that asks for a value of a shape, in each of the three ways; it goes to address 8 of its memory."""
    named = '(export "shape" (type $shape (eq $inner)))'  # which records and variants have to be
    types = f"{resource('thing')} (type $inner {shape}) {named}"
    api = Imports("test:host/api", dict.fromkeys(WAYS, f"(result {result})"), types=types, resources=("thing",))
    return guest(
        "".join(f'(func (export "{way}") (call ${way} (i32.const 8)))' for way in WAYS),
        dict.fromkeys(WAYS, ""),
        api,
        memory=True,
    )


WAYS = ("at-once", "later", "in-time")
OWN = "(own $thing)"
SHAPES: list[tuple[str, Callable[[], Any]]] = [
    (OWN, Thing),
    (f"(option {OWN})", Thing),
    (f"(option (option {OWN}))", lambda: Some(Thing())),
    (f"(result {OWN} (error u32))", lambda: Ok(Thing())),
    (f"(result u32 (error {OWN}))", lambda: Err(Thing())),
    (f"(tuple u32 {OWN} {OWN})", lambda: (1, Thing(), Thing())),
    (f"(list {OWN})", lambda: [Thing(), Thing()]),
    (f'(record (field "a" u32) (field "b" {OWN}))', lambda: SimpleNamespace(a=1, b=Thing())),
    (f'(variant (case "none") (case "one" {OWN}))', lambda: Variant("one", Thing())),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "make"), SHAPES, ids=[shape for shape, _ in SHAPES])
async def test_what_the_guest_has_no_room_for_is_dropped_with_what_came_beside_it(
    make_engine: MakeEngine, way: str, shape: str, make: Callable[[], Any]
) -> None:
    engine = make_engine(resources=1)
    linked = engine.link(engine.load(text_of(shape)), [Api(lambda: [make(), make(), make()])])
    with pytest.raises(TooManyResources):
        await call(linked, way)
    assert len(Thing.made) >= 3
    assert set(drops()) == {1}


@pytest.mark.parametrize("way", WAYS)
async def test_a_resource_beside_a_value_that_does_not_fit_is_dropped(make_engine: MakeEngine, way: str) -> None:
    engine = make_engine()
    text = text_of(f"(tuple {OWN} u8 {OWN})")
    linked = engine.link(engine.load(text), [Api(lambda: [(Thing(), 300, Thing()), (Thing(), 3), None, "no tuple"])])
    with pytest.raises(HostValueError, match=r"\[0\]\[1\]: int 300"):
        await call(linked, way)
    assert drops() == [1, 1, 1]


@pytest.mark.parametrize("way", WAYS)
async def test_a_resource_of_an_error_that_the_guest_has_no_room_for_is_dropped(
    make_engine: MakeEngine, way: str
) -> None:
    def refuse() -> Any:
        raise WitError([Thing(), Thing()])

    engine = make_engine(resources=1)
    text = text_of(f"(list {OWN})", "(result (error $shape))")
    linked = engine.link(engine.load(text), [Api(refuse)])
    with pytest.raises(TooManyResources):
        await call(linked, way)
    assert drops() == [1, 1]


async def test_a_drop_that_fails_keeps_no_other_from_its_own(
    make_engine: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(Thing):
        wit_name = "thing"

        def drop(self) -> None:
            super().drop()
            raise ValueError("it will not go")

    engine = make_engine(resources=1)
    linked = engine.link(engine.load(text_of(OWN)), [Api(lambda: [Thing(), Stubborn(), Stubborn(), Thing()])])
    with pytest.raises(TooManyResources):
        await call(linked, "at-once")
    assert drops() == [1, 1, 1, 1]
    assert "dropping Stubborn" in caplog.text


async def test_a_call_that_fails_before_its_answer_is_lowered_drops_nothing(make_engine: MakeEngine) -> None:
    def fail() -> Any:
        Thing()
        raise ValueError("not today")

    engine = make_engine()
    linked = engine.link(engine.load(text_of(OWN)), [Api(fail)])
    with pytest.raises(HostFunctionError):
        await call(linked, "later")
    assert drops() == [0], "it never was the engine's"


# ---------------------------------------------------------------- an answer that came when nobody wanted it any more

OPENING = guest(
    """(func (export "open") (drop (call $open)))
       (func (export "refused") (call $refused (i32.const 8)))""",
    {"open": "", "refused": ""},
    Imports(
        "test:host/opening",
        {"open": f"(result {OWN})", "refused": "(result (result (error $own)))"},
        types=f"{resource('thing')} (type $own {OWN})",
        resources=("thing",),
    ),
    memory=True,
)


class Opening(HostInterface, wit="test:host/opening", resources=(Thing,)):
    """Gives the guest a thing, at a moment in which others have the turn."""

    def __init__(self) -> None:
        self.linked: LinkedComponent
        self.task: asyncio.Task[None]

    async def open(self) -> Thing:
        await asyncio.sleep(0)
        self._close_the_turnstile()
        return Thing()

    async def refused(self) -> None:
        await asyncio.sleep(0)
        self._close_the_turnstile()
        raise WitError(Thing())

    def _close_the_turnstile(self) -> None:
        turnstile = self.linked.engine.turnstile
        turnstile.spent_s = turnstile.slice_s
        turnstile.note()
        asyncio.get_running_loop().call_soon(self.task.cancel)


@pytest.mark.parametrize("name", ["open", "refused"])
async def test_a_late_answer_of_a_call_that_is_cancelled_while_it_waits_for_its_turn_is_dropped(
    make_engine: MakeEngine, name: str
) -> None:
    engine, host = make_engine(), Opening()
    # A slice that no guest of this test spends by itself.
    engine.turnstile.slice_s = 5.0
    host.linked = linked = engine.link(engine.load(OPENING), [host])
    for _ in range(20):
        host.task = asyncio.create_task(call(linked, name))
        with pytest.raises(asyncio.CancelledError):
            await host.task
    assert drops() == [1] * 20
    assert engine.slots.running == 0


async def test_an_answer_of_a_host_function_that_swallowed_its_cancellation_is_dropped(
    make_engine: MakeEngine,
) -> None:
    class Deaf(Opening):
        async def open(self) -> Thing:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return Thing()

    engine = make_engine()
    linked = engine.link(engine.load(OPENING), [Deaf()])
    task = asyncio.create_task(call(linked, "open"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert drops() == [1]
