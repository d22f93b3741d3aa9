from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.errors import GuestError, GuestTrap, HostFunctionError, HostValueError
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from qwasr.engine import Engine, LinkedComponent

COUNTERS = Imports(
    "demo:counting/counters@0.2.0",
    {
        "[constructor]counter": '(param "start" u32) (result (own $counter))',
        "[method]counter.next": '(param "self" (borrow $counter)) (result u32)',
        "[method]counter.next-by": '(param "self" (borrow $counter)) (param "step" u32) (result u32)',
        "[static]counter.merge": '(param "a" (own $counter)) (param "b" (own $counter)) (result (own $counter))',
        "make": '(param "start" u32) (result (own $counter))',
        "take": '(param "counter" (own $counter))',
        "look": '(param "counter" (borrow $counter)) (result u32)',
    },
    types=resource("counter"),
    resources=("counter",),
)
NEW, NEXT, NEXT_BY = "$constructor.counter", "$method.counter.next", "$method.counter.next-by"
MERGE, DROP = "$static.counter.merge", "$drop.counter"
CORE = f"""
  (global $kept (mut i32) (i32.const 0))
  (func (export "construct") (param i32) (result i32) (call {NEXT} (call {NEW} (local.get 0))))
  (func (export "method") (param i32) (result i32) (call {NEXT_BY} (call {NEW} (local.get 0)) (i32.const 5)))
  (func (export "static") (param i32) (result i32)
    (call {NEXT} (call {MERGE} (call {NEW} (local.get 0)) (call {NEW} (i32.const 100)))))
  (func (export "made") (param i32) (result i32) (call {NEXT} (call $make (local.get 0))))
  (func (export "let-go") (param i32) (result i32) (call {DROP} (call {NEW} (local.get 0))) (i32.const 0))
  (func (export "give-away") (param i32) (result i32) (call $take (call {NEW} (local.get 0))) (i32.const 0))
  (func (export "lend") (param i32) (result i32) (local $c i32) (local.set $c (call {NEW} (local.get 0)))
    (i32.add (call $look (local.get $c)) (call $look (local.get $c))))
  (func (export "hoard") (param i32) (result i32)
    (loop (drop (call {NEW} (i32.const 1))) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))
    (i32.const 0))
  (func (export "stale") (param i32) (result i32) (local $c i32) (local.set $c (call {NEW} (local.get 0)))
    (call {DROP} (local.get $c)) (call {NEXT} (local.get $c)))
  (func (export "drop-twice") (param i32) (result i32) (local $c i32) (local.set $c (call {NEW} (local.get 0)))
    (call {DROP} (local.get $c)) (call {DROP} (local.get $c)) (i32.const 0))
  (func (export "given-twice") (param i32) (result i32) (local $c i32) (local.set $c (call {NEW} (local.get 0)))
    (call $take (local.get $c)) (call $take (local.get $c)) (i32.const 0))
  (func (export "use-given") (param i32) (result i32) (local $c i32) (local.set $c (call {NEW} (local.get 0)))
    (call $take (local.get $c)) (call {NEXT} (local.get $c)))
  (func (export "invented") (param i32) (result i32) (call {NEXT} (local.get 0)))
  (func (export "drop-invented") (param i32) (result i32) (call {DROP} (local.get 0)) (i32.const 0))
  (func (export "keep") (param i32) (result i32) (global.set $kept (call {NEW} (local.get 0))) (i32.const 0))
  (func (export "kept") (param i32) (result i32) (call {NEXT} (global.get $kept)))
  (func (export "receive") (param i32) (result i32) (call {NEXT} (local.get 0)))
  (func (export "receive-and-drop") (param i32) (result i32) (call {DROP} (local.get 0)) (i32.const 0))
  (func (export "inspect") (param i32) (result i32) (local $n i32)
    (local.set $n (call $look (local.get 0))) (call {DROP} (local.get 0)) (local.get $n))
  (func (export "leak-borrow") (param i32) (result i32) (i32.const 0))
  (func (export "pass") (param i32) (result i32) (local.get 0))
  (func (export "two") (param i32 i32) (result i32) (i32.const 0))
"""
PLAIN = '(param "start" u32) (result u32)'
_NAMES = (
    "construct method static made let-go give-away lend hoard stale drop-twice given-twice use-given "
    "invented drop-invented keep kept"
)
EXPORTS = dict.fromkeys(
    _NAMES.split(),
    PLAIN,
) | {
    "receive": '(param "counter" (own $counter)) (result u32)',
    "receive-and-drop": '(param "counter" (own $counter)) (result u32)',
    "inspect": '(param "counter" (borrow $counter)) (result u32)',
    "leak-borrow": '(param "counter" (borrow $counter)) (result u32)',
    "pass": '(param "counter" (own $counter)) (result (own $counter))',
    "two": '(param "counter" (own $counter)) (param "n" u8) (result u32)',
}
GUEST = guest(CORE, EXPORTS, COUNTERS)


class Counter(HostResource):
    """Counts up, and records its own end."""

    live: ClassVar[weakref.WeakSet[Counter]] = weakref.WeakSet()

    def __init__(self, start: int) -> None:
        self.value = start
        self.drops = 0
        self.live.add(self)

    def next(self) -> int:
        self.value += 1
        return self.value

    def next_by(self, step: int) -> int:
        self.value += step
        return self.value

    @classmethod
    def merge(cls, a: Counter, b: Counter) -> Counter:
        return cls(a.value + b.value)

    def drop(self) -> None:
        self.drops += 1


class SlowCounter(Counter):
    """A subclass, which the guest cannot tell from its base."""

    wit_name = "counter"

    def next(self) -> int:
        return -super().next() % 1000


class Counters(HostInterface, wit="demo:counting/counters", resources=(Counter,)):
    def __init__(self) -> None:
        self.made: list[Counter] = []
        self.taken: list[Counter] = []
        self.looked: list[Counter] = []

    def make(self, start: int) -> Counter:
        self.made.append(Counter(start))
        return self.made[-1]

    def take(self, counter: Counter) -> None:
        self.taken.append(counter)

    def look(self, counter: Counter) -> int:
        self.looked.append(counter)
        return counter.value


def linked_counters(engine: Engine, host: Counters | None = None) -> LinkedComponent:
    return engine.link(engine.load(GUEST), [host or Counters()])


@pytest.mark.parametrize(("name", "result"), [("construct", 8), ("method", 12), ("static", 108), ("made", 8)])
async def test_constructors_methods_and_statics_reach_the_class(engine: Engine, name: str, result: int) -> None:
    assert await call(linked_counters(engine), name, 7) == result


async def test_a_method_of_a_subclass_is_the_one_that_runs(engine: Engine) -> None:
    class Slow(Counters):
        def make(self, start: int) -> Counter:
            return SlowCounter(start)

    assert await call(linked_counters(engine, Slow()), "made", 7) == 992


async def test_a_resource_that_the_guest_drops_is_dropped_once_and_at_once(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(1)
    store = linked.store()
    await store.call(linked.function(None, "receive-and-drop"), counter)
    assert (counter.drops, len(store.resources)) == (1, 0)
    store.close()
    assert counter.drops == 1


async def test_a_resource_that_the_guest_still_holds_is_dropped_when_the_store_closes(engine: Engine) -> None:
    host = Counters()
    linked = linked_counters(engine, host)
    store = linked.store()
    await store.call(linked.function(None, "made"), 1)
    (counter,) = host.made
    assert counter.drops == 0
    store.close()
    assert counter.drops == 1
    store.close()
    assert counter.drops == 1


async def test_a_resource_lives_from_one_call_to_the_next(engine: Engine) -> None:
    linked = linked_counters(engine)
    store = linked.store()
    await store.call(linked.function(None, "keep"), 40)
    kept = linked.function(None, "kept")
    assert [await store.call(kept, 0), await store.call(kept, 0)] == [41, 42]
    store.close()


async def test_a_resource_given_away_belongs_to_the_host_function(engine: Engine) -> None:
    host = Counters()
    linked = linked_counters(engine, host)
    store = linked.store()
    await store.call(linked.function(None, "give-away"), 3)
    assert not store.resources
    store.close()
    (counter,) = host.taken
    assert (counter.value, counter.drops) == (3, 0)


async def test_a_borrowed_resource_is_the_same_object_every_time(engine: Engine) -> None:
    host = Counters()
    assert await call(linked_counters(engine, host), "lend", 4) == 8
    first, second = host.looked
    assert first is second
    assert first.drops == 1, "dropped at the end of the call"


async def test_a_resource_passed_to_an_export_by_own_moves_there(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(1)
    store = linked.store()
    assert await store.call(linked.function(None, "receive"), counter) == 2
    assert counter.drops == 0
    store.close()
    assert counter.drops == 1
    dropped = Counter(1)
    await call(linked, "receive-and-drop", dropped)
    assert dropped.drops == 1


async def test_a_resource_that_goes_through_a_guest_comes_back_as_the_same_object(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(1)
    store = linked.store()
    passing = linked.function(None, "pass")
    for _ in range(3):
        assert await store.call(passing, counter) is counter
        assert not store.resources
    store.close()
    assert counter.drops == 0, "it came back, so it is the caller's again"


async def test_a_resource_lent_to_an_export_stays_the_callers_and_can_be_lent_again(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(5)
    store = linked.store()
    look = linked.function(None, "inspect")
    assert [await store.call(look, counter), await store.call(look, counter)] == [5, 5]
    assert not store.resources
    store.close()
    assert counter.drops == 0


async def test_a_guest_that_keeps_what_it_was_lent_traps(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(5)
    with pytest.raises(GuestTrap, match="borrow"):
        await call(linked, "leak-borrow", counter)
    assert counter.drops == 0


@pytest.mark.parametrize("name", ["stale", "drop-twice", "given-twice", "use-given", "invented", "drop-invented"])
@pytest.mark.parametrize("handle", [0, 1, 77, 2**31, 2**32 - 1])
async def test_a_handle_that_is_not_the_guests_is_a_trap(engine: Engine, name: str, handle: int) -> None:
    linked = linked_counters(engine)
    with pytest.raises(GuestTrap, match="handle index"):
        await call(linked, name, handle)
    assert await call(linked, "construct", 7) == 8, "the next guest is unharmed"


async def test_an_object_that_is_no_such_resource_does_not_fit(engine: Engine) -> None:
    linked = linked_counters(engine)
    for bad in (None, 5, HostResource()):
        with pytest.raises(HostValueError, match=r"receive: argument counter: .* does not fit own<counter>"):
            await call(linked, "receive", bad)
        with pytest.raises(HostValueError, match="does not fit borrow<counter>"):
            await call(linked, "inspect", bad)


async def test_an_argument_that_does_not_fit_leaves_the_resources_before_it_with_the_caller(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(1)
    store = linked.store()
    with pytest.raises(HostValueError, match="argument n: int 300"):
        await store.call(linked.function(None, "two"), counter, 300)
    assert not store.resources
    assert await store.call(linked.function(None, "receive"), counter) == 2
    store.close()
    assert counter.drops == 1


async def test_a_guest_holds_as_many_resources_as_it_may_and_no_more(engine: Engine) -> None:
    linked = linked_counters(engine)
    store = linked.store()
    store.max_resources = 50
    await store.call(linked.function(None, "hoard"), 50)
    with pytest.raises(GuestError, match="holds 50 host resources"):
        await store.call(linked.function(None, "hoard"), 1)
    assert len(store.resources) == 50
    store.close()


async def test_by_default_a_guest_can_hold_thousands_of_resources(engine: Engine) -> None:
    linked = linked_counters(engine)
    await call(linked, "hoard", 10_000)
    with pytest.raises(GuestError, match="holds 10000 host resources"):
        await call(linked, "hoard", 10_001)


async def test_an_exception_in_drop_ends_the_call_that_dropped(engine: Engine) -> None:
    class Stubborn(Counter):
        wit_name = "counter"

        def drop(self) -> None:
            raise ValueError("it will not go")

    class Stubborns(Counters, wit="demo:counting/counters", resources=(Stubborn,)):
        pass

    linked = linked_counters(engine, Stubborns())
    with pytest.raises(HostFunctionError) as raised:
        await call(linked, "let-go", 1)
    assert isinstance(raised.value.__cause__, ValueError)
    assert raised.value.__cause__.__notes__ == ["while the guest dropped demo:counting/counters@0.2.0#counter"]


async def test_an_exception_in_drop_at_the_end_of_a_call_is_logged_and_the_others_are_still_dropped(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(Counter):
        wit_name = "counter"

        def drop(self) -> None:
            super().drop()
            raise ValueError("it will not go")

    class Stubborns(Counters):
        def make(self, start: int) -> Counter:
            self.made.append(Stubborn(start))
            return self.made[-1]

    host = Stubborns()
    linked = linked_counters(engine, host)
    store = linked.store()
    for _ in range(3):
        await store.call(linked.function(None, "made"), 1)
    store.close()
    assert [counter.drops for counter in host.made] == [1, 1, 1]
    assert caplog.text.count("dropping Stubborn at the end of a call failed") == 3


async def test_one_object_behind_several_handles_is_dropped_once_for_each(engine: Engine) -> None:
    class Same(Counters):
        one = Counter(0)

        def make(self, start: int) -> Counter:
            return self.one

    linked = linked_counters(engine, Same())
    store = linked.store()
    assert [await store.call(linked.function(None, "made"), 1) for _ in range(3)] == [1, 2, 3]
    store.close()
    assert Same.one.drops == 3


async def test_an_object_that_the_guest_dropped_or_gave_back_can_be_given_again(engine: Engine) -> None:
    linked = linked_counters(engine)
    counter = Counter(1)
    store = linked.store()
    for name in ("receive-and-drop", "receive-and-drop", "pass", "receive-and-drop", "receive"):
        await store.call(linked.function(None, name), counter)
    store.close()
    assert counter.drops == 4


async def test_a_closed_store_keeps_no_resource_alive(engine: Engine) -> None:
    linked = linked_counters(engine)
    store = linked.store()
    await store.call(linked.function(None, "hoard"), 10)
    store.close()
    gc.collect()
    assert not [c for c in Counter.live if c.value == 1 and c.drops == 0]


# ---------------------------------------------------------------- one type, several names


ERRORS = Imports(
    "wasi:io/error@0.2.0",
    {"[method]error.to-code": '(param "self" (borrow $error)) (result u32)'},
    types=resource("error"),
    resources=("error",),
)
STREAMS = Imports(
    "wasi:io/streams@0.2.0",
    {
        "last": "(result (own $io-error))",
        "last-alias": "(result (own $also-error))",
        "judge": '(param "error" (borrow $io-error)) (result u32)',
    },
    types="""(alias outer 1 $error (type $outer))
      (export "io-error" (type $io-error (eq $outer))) (export "also-error" (type $also-error (eq $io-error)))""",
)
ALIASES = guest(
    """(func (export "f") (result i32) (local $e i32) (local.set $e (call $last))
      (i32.add (call $method.error.to-code (local.get $e)) (call $judge (call $last-alias))))""",
    {"f": "(result u32)"},
    ERRORS,
    STREAMS,
)


class Error(HostResource):
    def __init__(self, code: int) -> None:
        self.code = code

    def to_code(self) -> int:
        return self.code


class Errors(HostInterface, wit="wasi:io/error", resources=(Error,)):
    pass


class Streams(HostInterface, wit="wasi:io/streams"):
    def last(self) -> Error:
        return Error(40)

    def last_alias(self) -> Error:
        return Error(2)

    def judge(self, error: Error) -> int:
        return error.code


async def test_one_resource_type_under_several_names_is_one_python_class(engine: Engine) -> None:
    linked = engine.link(engine.load(ALIASES), [Streams(), Errors()])
    assert await call(linked, "f") == 42


# ---------------------------------------------------------------- resources of the guest's own


OWN = b"""(component
  (type $thing (resource (rep i32)))
  (type $other (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core func $new-other (canon resource.new $other))
  (core module $m
    (import "h" "new" (func $new (param i32) (result i32)))
    (import "h" "rep" (func $rep (param i32) (result i32)))
    (import "h" "new-other" (func $new-other (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "make-other") (param i32) (result i32) (call $new-other (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "consume") (param i32) (result i32) (call $rep (local.get 0))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "new-other" (func $new-other))))))
  (export $t "thing" (type $thing))
  (export $o "other" (type $other))
  (func (export "make") (param "n" u32) (result (own $t)) (canon lift (core func $i "make")))
  (func (export "make-other") (param "n" u32) (result (own $o)) (canon lift (core func $i "make-other")))
  (func (export "value") (param "thing" (borrow $t)) (result u32) (canon lift (core func $i "value")))
  (func (export "consume") (param "thing" (own $t)) (result u32) (canon lift (core func $i "consume"))))
"""


async def test_a_guests_own_resource_is_an_opaque_handle_that_its_guest_understands(engine: Engine) -> None:
    linked = engine.link(engine.load(OWN), [])
    store = linked.store()
    make, value = linked.function(None, "make"), linked.function(None, "value")
    seven: Any = await store.call(make, 7)
    eight: Any = await store.call(make, 8)
    assert [await store.call(value, h) for h in (seven, eight, seven)] == [7, 8, 7]
    assert await store.call(linked.function(None, "consume"), seven) == 7
    with pytest.raises(GuestError):
        await store.call(linked.function(None, "consume"), seven)
    store.close()


async def test_a_guests_handle_is_refused_after_its_store_closed_and_in_another_store(engine: Engine) -> None:
    linked = engine.link(engine.load(OWN), [])
    make, value = linked.function(None, "make"), linked.function(None, "value")
    first, second = linked.store(), linked.store()
    handle = await first.call(make, 7)
    await second.call(make, 7)
    with pytest.raises(HostValueError, match="belongs to another call or its call has ended"):
        await second.call(value, handle)
    first.close()
    with pytest.raises(HostValueError, match="belongs to another call or its call has ended"):
        await second.call(value, handle)
    second.close()


async def test_a_guests_handle_of_another_type_is_refused(engine: Engine) -> None:
    linked = engine.link(engine.load(OWN), [])
    store = linked.store()
    other = await store.call(linked.function(None, "make-other"), 1)
    with pytest.raises(GuestError):
        await store.call(linked.function(None, "value"), other)
    for bad in (None, 7, Counter(1)):
        with pytest.raises(HostValueError, match="argument thing"):
            await store.call(linked.function(None, "value"), bad)
    store.close()
