from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.errors import GuestTrap, LinkError
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from qwasr.engine import Engine

NUMBER = '(param "n" u32) (result u32)'
ONE = guest(
    '(func (export "f") (param i32) (result i32) (call $get-it (local.get 0)))',
    {"f": NUMBER},
    Imports("demo:a/b@0.2.3", {"get-it": NUMBER}),
)


class Good(HostInterface, wit="demo:a/b"):
    def get_it(self, n: int) -> int:
        return n + 1


async def test_a_function_in_kebab_case_is_found_in_snake_case(engine: Engine) -> None:
    assert await call(engine.link(engine.load(ONE), [Good()]), "f", 1) == 2


def test_all_missing_imports_are_listed_in_one_error_with_who_would_provide_them(engine: Engine) -> None:
    component = engine.load(
        guest(
            "",
            {},
            Imports("demo:a/b@0.2.3", {"get-it": NUMBER}),
            Imports("demo:x/y", {"g": ""}),
            Imports("demo:x/z@1.0.0", {"h": ""}),
            extra='(import "log" (func))',
        ),
        name="shop",
    )
    hints = {"demo:x/y": "provided by qwasr-x", "demo:x/z@1.0.0": None}
    with pytest.raises(LinkError) as raised:
        engine.link(component, [Good()], providers=hints.get)
    assert str(raised.value).startswith(
        "shop imports what nothing installed provides: demo:x/y (provided by qwasr-x); "
        "demo:x/z@1.0.0 (no plug-in that provides it is known); log (no plug-in that provides it is known). "
    )
    assert "--trap-unknown-imports" in str(raised.value)


async def test_unknown_imports_can_be_linked_as_functions_that_trap(engine: Engine) -> None:
    component = engine.load(
        guest(
            """(func (export "known") (param i32) (result i32) (call $get-it (local.get 0)))
               (func (export "unknown") (call $g))""",
            {"known": NUMBER, "unknown": ""},
            Imports("demo:a/b@0.2.3", {"get-it": NUMBER}),
            Imports("demo:x/y", {"g": ""}),
        )
    )
    linked = engine.link(component, [Good()], trap_unknown_imports=True)
    assert linked.trapped == ("demo:x/y",)
    assert await call(linked, "known", 1) == 2
    with pytest.raises(GuestTrap, match="g"):
        await call(linked, "unknown")


def test_nothing_is_trapped_where_nothing_is_missing(engine: Engine) -> None:
    assert engine.link(engine.load(ONE), [Good()], trap_unknown_imports=True).trapped == ()


@pytest.mark.parametrize("trap", [False, True])
def test_a_function_that_the_class_lacks_is_named_with_the_class(engine: Engine, trap: bool) -> None:
    class Lacking(HostInterface, wit="demo:a/b"):
        pass

    with pytest.raises(LinkError, match=r"imports demo:a/b@0.2.3, but .*Lacking lacks the function 'get-it'"):
        engine.link(engine.load(ONE), [Lacking()], trap_unknown_imports=trap)


def test_an_attribute_that_cannot_be_called_is_a_lacking_function(engine: Engine) -> None:
    class Constant(HostInterface, wit="demo:a/b"):
        get_it = 7

    with pytest.raises(LinkError, match="lacks the function 'get-it'"):
        engine.link(engine.load(ONE), [Constant()])


class Renamed(HostInterface, wit="demo:a/b"):
    def get_it(self, number: int) -> int:
        return number


class Fewer(HostInterface, wit="demo:a/b"):
    def get_it(self) -> int:
        return 1


class More(HostInterface, wit="demo:a/b"):
    def get_it(self, n: int, m: int) -> int:
        return n + m


@pytest.mark.parametrize(("host", "have"), [(Renamed, "number"), (Fewer, ""), (More, "n, m")])
def test_parameters_of_another_number_or_name_are_an_error_that_shows_both(
    engine: Engine, host: type[HostInterface], have: str
) -> None:
    with pytest.raises(LinkError) as raised:
        engine.link(engine.load(ONE), [host()])
    assert "function 'get-it' takes (n) in the component" in str(raised.value)
    assert f"and ({have}) in {host.__qualname__}.get_it" in str(raised.value)


async def test_optional_parameters_and_star_arguments_are_accepted(engine: Engine) -> None:
    class Optional(HostInterface, wit="demo:a/b"):
        def get_it(self, n: int, factor: int = 10, *, offset: int = 5) -> int:
            return n * factor + offset

    class Star(HostInterface, wit="demo:a/b"):
        def get_it(self, *args: int) -> int:
            return sum(args)

    assert await call(engine.link(engine.load(ONE), [Optional()]), "f", 1) == 15
    assert await call(engine.link(engine.load(ONE), [Star()]), "f", 1) == 1


async def test_a_parameter_that_is_a_keyword_of_python_gets_an_underscore(engine: Engine) -> None:
    of = '(param "from" u32) (param "as-is" u32) (param "class" u32) (result u32)'
    component = engine.load(
        guest(
            '(func (export "f") (result i32) (call $import (i32.const 1) (i32.const 2) (i32.const 3)))',
            {"f": "(result u32)"},
            Imports("demo:a/b", {"import": of}),
        )
    )

    class Keywords(HostInterface, wit="demo:a/b"):
        def import_(self, from_: int, as_is: int, class_: int) -> int:
            return from_ * 100 + as_is * 10 + class_

    assert await call(engine.link(component, [Keywords()]), "f") == 123


COUNTER = Imports(
    "demo:a/counters@0.2.0",
    {
        "[constructor]counter": "(result (own $counter))",
        "[method]counter.next": '(param "self" (borrow $counter)) (param "step" u32) (result u32)',
        "[static]counter.zero": "(result (own $counter))",
    },
    types=resource("counter"),
    resources=("counter",),
)


def counters(**members: Any) -> HostInterface:
    """Make a host whose class `Counter` is complete but for the members given here; None takes one away."""

    def step(self: HostResource, step: int) -> int:
        return step

    body = {"next": step, "zero": classmethod(lambda cls: cls()), "wit_name": "counter"} | members
    cls = type("Counter", (HostResource,), {k: v for k, v in body.items() if v is not None})
    interface = type("Counters", (HostInterface,), {"wit": "demo:a/counters", "resources": (cls,)})
    return interface()  # type: ignore[no-any-return]


def test_a_complete_resource_class_links(engine: Engine) -> None:
    engine.link(engine.load(guest("", {}, COUNTER)), [counters()])


def test_a_missing_resource_class_is_named(engine: Engine) -> None:
    class Empty(HostInterface, wit="demo:a/counters"):
        pass

    with pytest.raises(LinkError, match=r"counters@0\.2\.0, but .*Empty has no class for the resource 'counter'"):
        engine.link(engine.load(guest("", {}, COUNTER)), [Empty()])


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("next", None, r"lacks the function '\[method\]counter.next' \(Counter.next\)"),
        ("zero", None, r"lacks the function '\[static\]counter.zero' \(Counter.zero\)"),
        ("__init__", lambda self, start: None, r"'\[constructor\]counter' takes \(\) in the component and \(start\)"),
        ("next", lambda self: 1, r"'\[method\]counter.next' takes \(step\) in the component and \(\)"),
        ("zero", lambda self: 1, r"'\[static\]counter.zero' takes \(\) in the component and \(self\)"),
    ],
)
def test_what_a_resource_class_lacks_or_takes_otherwise_is_named(
    engine: Engine, member: str, value: Any, message: str
) -> None:
    with pytest.raises(LinkError, match=message):
        engine.link(engine.load(guest("", {}, COUNTER)), [counters(**{member: value})])


@pytest.mark.parametrize("version", ["", "@0.2.0", "@0.2.9", "@0.2.12"])
async def test_every_patch_version_is_one_interface_for_a_class_without_version(engine: Engine, version: str) -> None:
    text = ONE.replace(b"@0.2.3", version.encode())
    assert await call(engine.link(engine.load(text), [Good()]), "f", 1) == 2


TWO_VERSIONS = b"""(component
  (import "demo:a/counters@0.2.0" (instance $old
    (export "counter" (type $counter (sub resource)))
    (export "make" (func (param "n" u32) (result (own $counter))))
    (export "look" (func (param "counter" (borrow $counter)) (result u32)))))
  (import "demo:a/counters@0.2.9" (instance $new
    (export "counter" (type $counter (sub resource)))
    (export "make" (func (param "n" u32) (result (own $counter))))
    (export "look" (func (param "counter" (borrow $counter)) (result u32)))))
  (core func $old-make (canon lower (func $old "make"))) (core func $old-look (canon lower (func $old "look")))
  (core func $new-make (canon lower (func $new "make"))) (core func $new-look (canon lower (func $new "look")))
  (core module $m
    (import "h" "old-make" (func $old-make (param i32) (result i32)))
    (import "h" "old-look" (func $old-look (param i32) (result i32)))
    (import "h" "new-make" (func $new-make (param i32) (result i32)))
    (import "h" "new-look" (func $new-look (param i32) (result i32)))
    (func (export "each") (result i32)
      (i32.add (call $old-look (call $old-make (i32.const 10))) (call $new-look (call $new-make (i32.const 7)))))
    (func (export "mixed") (result i32) (call $new-look (call $old-make (i32.const 10)))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "old-make" (func $old-make)) (export "old-look" (func $old-look))
    (export "new-make" (func $new-make)) (export "new-look" (func $new-look))))))
  (func (export "each") (result u32) (canon lift (core func $i "each")))
  (func (export "mixed") (result u32) (canon lift (core func $i "mixed"))))
"""


class Counter(HostResource):
    def __init__(self, n: int) -> None:
        self.n = n


class Looking(HostInterface, wit="demo:a/counters", resources=(Counter,)):
    def make(self, n: int) -> Counter:
        return Counter(n)

    def look(self, counter: Counter) -> int:
        return counter.n


async def test_several_patch_versions_in_one_component_are_served_by_one_class(engine: Engine) -> None:
    linked = engine.link(engine.load(TWO_VERSIONS), [Looking()])
    assert await call(linked, "each") == 17
    with pytest.raises(GuestTrap):
        await call(linked, "mixed")  # to the guest they are two types


class Draft(HostInterface, wit="demo:a/b@0.2.0-draft"):
    def get_it(self, n: int) -> int:
        return n + 1000


@pytest.mark.parametrize("first", [True, False])
async def test_a_class_for_exactly_this_version_wins_over_one_for_all(engine: Engine, first: bool) -> None:
    hosts: list[HostInterface] = [Draft(), Good()] if first else [Good(), Draft()]
    assert await call(engine.link(engine.load(ONE.replace(b"0.2.3", b"0.2.0-draft")), hosts), "f", 1) == 1001
    assert await call(engine.link(engine.load(ONE), hosts), "f", 1) == 2


def test_a_class_for_one_version_serves_no_other(engine: Engine) -> None:
    with pytest.raises(LinkError, match=r"demo:a/b@0\.2\.3"):
        engine.link(engine.load(ONE), [Draft()])


async def test_the_declared_kind_decides_even_as_text_and_through_inheritance(engine: Engine) -> None:
    class Base(HostInterface, wit="demo:a/b"):
        async def get_it(self, n: int) -> int:
            return n + 1

    class Derived(Base):
        pass

    class Text(HostInterface, wit="demo:a/b"):
        def get_it(self, n: int) -> "int | Awaitable[int]":  # noqa: UP037 - declared as text, as the future import does
            return Base().get_it(n)

    for host in (Derived(), Text()):
        assert await call(engine.link(engine.load(ONE), [host]), "f", 1) == 2


async def test_one_component_is_linked_to_several_hosts_side_by_side(engine: Engine) -> None:
    class Other(Good):
        def get_it(self, n: int) -> int:
            return n + 2

    component = engine.load(ONE)
    linked = [engine.link(component, [host]) for host in (Good(), Other())]
    stores = [each.store() for each in linked]
    assert [await s.call(e.function(None, "f"), 1) for s, e in zip(stores, linked, strict=True)] == [2, 3]
    for store in stores:
        store.close()


def test_the_functions_of_an_import_can_be_listed(engine: Engine) -> None:
    component = engine.load(guest("", {}, COUNTER, Imports("demo:x/y", {"g": ""})))
    assert component.imports == ("demo:a/counters@0.2.0", "demo:x/y")
    assert component.import_functions("demo:a/counters@0.2.0") == tuple(COUNTER.functions)
