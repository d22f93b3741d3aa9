"""Random sequences of host calls against a model of the resource table: which handle is what, and who owns it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernel.tests.engine.guest_text import Imports, guest, resource
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import GuestError, GuestTrap
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from qwasr.engine import LinkedComponent, Store

MOST = 5  # resources that a guest may hold here, so that sequences reach the limit

API = Imports(
    "test:host/api",
    {
        "[constructor]thing": '(param "n" u32) (result (own $thing))',
        "[method]thing.number": '(param "self" (borrow $thing)) (result u32)',
        "[constructor]other": "(result (own $other))",
        "take": '(param "thing" (own $thing))',
        "give-back": '(param "thing" (own $thing)) (result (own $thing))',
        "both": '(param "a" (borrow $thing)) (param "b" (borrow $thing)) (result u32)',
        "swap": '(param "a" (own $thing)) (param "b" (own $thing)) (result (own $thing))',
    },
    types=resource("thing") + resource("other"),
    resources=("thing", "other"),
)
NEW, NUMBER, OTHER = "$constructor.thing", "$method.thing.number", "$constructor.other"
ONE = '(param "a" u32) (result u32)'
TWO = '(param "a" u32) (param "b" u32) (result u32)'
GUEST = guest(
    f"""
    (func (export "new") (param i32) (result i32) (call {NEW} (local.get 0)))
    (func (export "other") (param i32) (result i32) (call {OTHER}))
    (func (export "number") (param i32) (result i32) (call {NUMBER} (local.get 0)))
    (func (export "drop") (param i32) (result i32) (call $drop.thing (local.get 0)) (i32.const 0))
    (func (export "drop-other") (param i32) (result i32) (call $drop.other (local.get 0)) (i32.const 0))
    (func (export "take") (param i32) (result i32) (call $take (local.get 0)) (i32.const 0))
    (func (export "give-back") (param i32) (result i32) (call $give-back (local.get 0)))
    (func (export "both") (param i32 i32) (result i32) (call $both (local.get 0) (local.get 1)))
    (func (export "swap") (param i32 i32) (result i32) (call $swap (local.get 0) (local.get 1)))
    (func (export "receive") (param i32) (result i32) (local.get 0))
    (func (export "lend") (param i32) (result i32) (local $n i32) (local.set $n (call {NUMBER} (local.get 0)))
      (call $drop.thing (local.get 0)) (local.get $n))
    (func (export "return") (param i32) (result i32) (local.get 0))""",
    dict.fromkeys(["new", "other", "number", "drop", "drop-other", "take", "give-back"], ONE)
    | {
        "both": TWO,
        "swap": TWO,
        "receive": '(param "thing" (own $thing)) (result u32)',
        "lend": '(param "thing" (borrow $thing)) (result u32)',
        "return": '(param "a" u32) (result (own $thing))',
    },
    API,
)


class Thing(HostResource):
    def __init__(self, n: int) -> None:
        self.n = n
        self.drops = 0
        Api.made.append(self)

    def number(self) -> int:
        return self.n

    def drop(self) -> None:
        self.drops += 1


class Other(HostResource):
    def __init__(self) -> None:
        self.n = -1
        self.drops = 0
        Api.made.append(self)

    def drop(self) -> None:
        self.drops += 1


class Api(HostInterface, wit="test:host/api", resources=(Thing, Other)):
    made: ClassVar[list[Thing | Other]] = []

    def take(self, thing: Thing) -> None:
        pass

    async def give_back(self, thing: Thing) -> Thing:
        await asyncio.sleep(0)
        return thing

    def both(self, a: Thing, b: Thing) -> int:
        return (a.n + b.n) % 2**32

    def swap(self, a: Thing, b: Thing) -> Thing:
        a.drop()
        return b


class Guests:
    """Two guests at once, and what each may hold: the handles of one mean nothing in the other."""

    def __init__(self, linked: LinkedComponent) -> None:
        self.linked = linked
        self.store: Store = linked.store()
        self.store.max_resources = MOST
        self.handles: dict[int, Thing | Other] = {}


class ResourceTable(RuleBasedStateMachine):
    """`model[guest].handles` is what the table should hold; a handle is drawn from it, or made up."""

    engine: ClassVar[Engine]
    linked: ClassVar[LinkedComponent]

    @initialize()
    def begin(self) -> None:
        Api.made.clear()
        self.runner = asyncio.Runner()
        self.dropped: dict[int, int] = {}
        self.kept = [Thing(1000), Thing(1001)]  # alive, and the host's
        self.guests = [self._new(), self._new()]

    def teardown(self) -> None:
        for guest_ in self.guests:
            self._end(guest_)
        self.runner.close()
        assert self.engine.slots.free == 4

    def _end(self, model: Guests) -> None:
        held = list(model.handles.values())
        model.store.close()
        assert not model.store.resources
        for one in held:
            self.dropped[id(one)] = self.dropped.get(id(one), 0) + 1
        model.handles.clear()

    def _new(self) -> Guests:
        """A guest that has something already: otherwise short sequences seldom reach what takes two."""
        model = Guests(self.linked)
        for n in range(3):
            handle = self._call(model, "new", n)
            model.handles[handle] = Api.made[-1]
        return model

    def _call(self, model: Guests, name: str, *args: Any) -> Any:
        return self.runner.run(model.store.call(self.linked.function(None, name), *args))

    def _fails(self, which: int, name: str, *args: Any, match: str) -> None:
        """The call has to trap."""
        model = self.guests[which]
        with pytest.raises(GuestError, match=match):
            self._call(model, name, *args)

    def _restart(self, which: int) -> None:
        self._end(self.guests[which])
        self.guests[which] = self._new()

    def _pick(self, data: st.DataObject, model: Guests, kind: type) -> int | None:
        live = [handle for handle, one in model.handles.items() if type(one) is kind]
        return data.draw(st.sampled_from(live)) if live else None

    which = st.integers(0, 1)

    @rule(which=which, n=st.integers(0, 2**31))
    def make(self, which: int, n: int) -> None:
        model = self.guests[which]
        if len(model.handles) == MOST:
            self._fails(which, "new", n, match="host resources")
            self.dropped[id(Api.made[-1])] = 1  # it was made before there turned out to be no room for it
            self._restart(which)
            return
        handle = self._call(model, "new", n)
        assert handle not in model.handles
        model.handles[handle] = Api.made[-1]

    @rule(which=which)
    def make_other(self, which: int) -> None:
        model = self.guests[which]
        if len(model.handles) < MOST:
            handle = self._call(model, "other", 0)
            assert handle not in model.handles
            model.handles[handle] = Api.made[-1]

    @rule(which=which, data=st.data())
    def use(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, Thing)
        if handle is not None:
            assert self._call(model, "number", handle) == model.handles[handle].n

    @rule(which=which, data=st.data())
    def use_both(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        a, b = self._pick(data, model, Thing), self._pick(data, model, Thing)
        if a is not None and b is not None:
            assert self._call(model, "both", a, b) == (model.handles[a].n + model.handles[b].n) % 2**32

    @rule(which=which, data=st.data(), kind=st.sampled_from([Thing, Other]))
    def let_go(self, which: int, data: st.DataObject, kind: type) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, kind)
        if handle is not None:
            one = model.handles.pop(handle)
            self._call(model, "drop" if kind is Thing else "drop-other", handle)
            self.dropped[id(one)] = self.dropped.get(id(one), 0) + 1

    @rule(which=which, data=st.data())
    def give_away(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, Thing)
        if handle is not None:
            self._call(model, "take", handle)
            one = model.handles.pop(handle)
            assert isinstance(one, Thing)
            self.kept.append(one)

    @rule(which=which, data=st.data())
    def give_and_get_back(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, Thing)
        if handle is not None:
            one = model.handles.pop(handle)
            back = self._call(model, "give-back", handle)
            assert back not in model.handles
            model.handles[back] = one

    @rule(which=which, data=st.data())
    def swap(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        a, b = self._pick(data, model, Thing), self._pick(data, model, Thing)
        if a is not None and b is not None and a != b:
            back = self._call(model, "swap", a, b)
            first, second = model.handles.pop(a), model.handles.pop(b)
            self.dropped[id(first)] = self.dropped.get(id(first), 0) + 1
            model.handles[back] = second

    @precondition(lambda self: self.kept)
    @rule(which=which, data=st.data())
    def hand_over(self, which: int, data: st.DataObject) -> None:
        """What the host has goes to either guest, by own."""
        model = self.guests[which]
        if len(model.handles) < MOST:
            one = self.kept.pop(data.draw(st.integers(0, len(self.kept) - 1)))
            handle = self._call(model, "receive", one)
            assert handle not in model.handles
            model.handles[handle] = one

    @precondition(lambda self: self.kept)
    @rule(which=which)
    def lend(self, which: int) -> None:
        model = self.guests[which]
        if len(model.handles) < MOST:
            assert self._call(model, "lend", self.kept[-1]) == self.kept[-1].n

    @rule(which=which, data=st.data())
    def get_back(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, Thing)
        if handle is not None:
            one = model.handles.pop(handle)
            assert self._call(model, "return", handle) is one
            assert isinstance(one, Thing)
            self.kept.append(one)

    @rule(which=which, handle=st.integers(0, 40) | st.integers(0, 2**32 - 1), data=st.data())
    def use_what_is_not_its_own(self, which: int, handle: int, data: st.DataObject) -> None:
        """A handle that was dropped, given away, another guest's or of another type: a trap, and the guest's end."""
        model = self.guests[which]
        name = data.draw(st.sampled_from(["number", "drop", "take", "give-back", "return", "drop-other"]))
        wanted = Other if name == "drop-other" else Thing
        if type(model.handles.get(handle)) is not wanted:
            self._fails(which, name, handle, match="handle index")
            self._restart(which)

    @rule(which=which, data=st.data())
    def give_the_same_twice(self, which: int, data: st.DataObject) -> None:
        model = self.guests[which]
        handle = self._pick(data, model, Thing)
        if handle is not None:
            with pytest.raises(GuestTrap):
                self._call(model, "swap", handle, handle)
            self._restart(which)  # the first of the two had left the guest's table already; its end is still its drop

    @rule(which=which)
    def end(self, which: int) -> None:
        self._restart(which)

    @invariant()
    def the_table_is_the_model(self) -> None:
        for model in getattr(self, "guests", ()):
            held = sorted(map(id, model.store.resources.values()))
            assert held == sorted(map(id, model.handles.values()))

    @invariant()
    def nothing_is_dropped_twice_or_too_early(self) -> None:
        for one in Api.made:
            assert one.drops == getattr(self, "dropped", {}).get(id(one), 0)


def test_any_sequence_of_calls_leaves_the_table_as_the_model_says() -> None:
    engine = Engine(EngineOptions(concurrency=4, memory_bytes=1024 * 1024))
    ResourceTable.engine = engine
    ResourceTable.linked = engine.link(engine.load(GUEST), [Api()])
    try:
        case: Any = ResourceTable.TestCase()
        case.settings = settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        case.runTest()
    finally:
        engine.close()
