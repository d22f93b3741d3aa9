"""How Python implements a WIT interface.

A complete interface of one function and one resource::

    class Counter(HostResource):
        '''A number that counts up.'''

        def __init__(self, start: int) -> None:          # [constructor]counter
            self._value = start

        def next(self) -> int:                           # [method]counter.next
            self._value += 1
            return self._value

        def drop(self) -> None:                          # the guest let go of it, or the call ended
            ...

    class Counting(HostInterface, wit="demo:counting/counters", resources=(Counter,)):
        '''demo:counting/counters: numbers that count up.'''

        def __init__(self, backends: Backends[Never]) -> None: ...

        async def sum(self, counters: list[Counter]) -> int: ...

The class is matched with what a component imports by package and interface name; every 0.2.x patch version is the same
interface. `wit="wasi:keyvalue/store@0.2.0-draft"` serves that version alone and wins over a class without a version.
WIT `kebab-case` is Python `snake_case`; a Python keyword gets a trailing underscore (`from` is `from_`). A resource
class `OutputStream` serves `output-stream`. A constructor is the class's own call, a static function a static or class
method of the resource class, or, where it needs what belongs to the interface's object, a method of that by both names:
`connection.open` is `connection_open(self, name)`.

Three kinds of host function, told apart by their declaration, once, at link time:

``def f(...) -> T``
    answers at once. It runs on the guest's own stack, so it takes at most 100 µs and never blocks.
``async def f(...) -> T``
    suspends this guest only, while the event loop serves others.
``def f(...) -> T | Awaitable[T]``
    answers at once when it can and returns an awaitable when it must wait: the cheapest way to write a call that
    seldom waits. The return annotation has to name ``Awaitable``.

A function whose WIT result is a ``result`` returns the good value or raises `WitError`. Anything else it raises ends
this guest's call as `HostFunctionError`; the guest never sees a Python exception.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.telemetry import HostCounter

__all__ = ["HostInterface", "HostResource", "kebab_case"]

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def kebab_case(class_name: str) -> str:
    """Return the WIT name of a class: ``OutputStream`` is ``output-stream``."""
    return _CAMEL_HUMP.sub("-", class_name).lower()


class HostResource:
    """Base of the Python classes behind WIT resources.

    `wit_name` is the resource's name in WIT, derived from the class name unless a subclass sets it.
    """

    __slots__ = ()

    wit_name: ClassVar[str] = "host-resource"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "wit_name" not in cls.__dict__:
            cls.wit_name = kebab_case(cls.__name__)

    def drop(self) -> None:
        """Release what the resource holds.

        Called once: when the guest drops its handle, when the call ends while the guest still held it, or when a host
        function returned it and the guest could not get it any more. A resource that the guest gave away by `own`
        belongs to the host function that took it, which decides.
        """


class HostInterface:
    """Base of the Python classes behind WIT interfaces; one object of each serves one `Runtime`.

    Args of the class statement:
        wit: ``"package:name/interface"``, with ``@version`` to serve that version alone.
        resources: the `HostResource` classes of this interface.
    """

    wit: ClassVar[str]
    resources: ClassVar[Sequence[type[HostResource]]] = ()
    counted: ClassVar[bool] = False  # whether calls are counted though guests open no stores of the interface
    counter: HostCounter | None = None  # set by the runtime where calls of guests are counted

    def __init_subclass__(
        cls, *, wit: str | None = None, resources: Sequence[type[HostResource]] = (), **arguments: Any
    ) -> None:
        super().__init_subclass__(**arguments)
        if wit is not None:
            cls.wit = wit
        if resources:
            cls.resources = tuple(resources)

    def imported(self, function: str, result: str) -> None:
        """Learn, at link time, of one function that the component imports; does nothing unless a class overrides it.

        For an interface that is in use in several shapes under one version, which only the result's type tells apart.

        Args:
            function: the function's WIT name, ``"get-many"``.
            result: its result's type as messages show it, ``"result<list<u8>, variant error>"``; empty without one.
        """
