"""How a package plugs in: an entry point of group ``qwasr`` names a module whose functions register classes.

A complete plug-in module::

    from qwasr.hooks import hookimpl

    KERNEL_API = 1                                   # the kernel's plug-in API that this module is written for

    @hookimpl
    def qwasr_register_backends():
        from my_backend.client import Shelf          # no client library is imported here: `Shelf.connect` does
        return [Shelf]

and in its `pyproject.toml`::

    [project.entry-points.qwasr]
    shelf = "my_backend.plugin"

Hooks only register; they run once, at start-up. Requests never pass through a hook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click

    from qwasr.hosting import HostInterface
    from qwasr.protocols import Backend, Server
    from qwasr.testing.clock import Clock

__all__ = [
    "ENTRY_POINT_GROUP",
    "KERNEL_API",
    "Fake",
    "Interface",
    "hookimpl",
    "hookspec",
    "qwasr_register_backends",
    "qwasr_register_commands",
    "qwasr_register_fakes",
    "qwasr_register_interfaces",
    "qwasr_register_servers",
]

KERNEL_API: Final = 1  # changes when a plug-in written for the old one would no longer work
ENTRY_POINT_GROUP: Final = "qwasr"

hookspec = pluggy.HookspecMarker("qwasr")
hookimpl = pluggy.HookimplMarker("qwasr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One family of WIT interfaces and the Python behind it.

    Args:
        name: what it is called here: ``"keyvalue"`` makes `QWASR_KEYVALUE` choose its backend.
        wit: every WIT interface it serves, ``"package:name/interface"`` without a version, so that the kernel knows
            who serves an import without importing anything.
        hosts: returns the `HostInterface` classes; called only when a component needs one of them, so this is the
            place to import them. Each is constructed with one argument, the `Backends` of this interface.
        default: the name of the backend that serves when none is chosen; ``None`` when there is nothing to choose.
        stores: whether guests open stores by name, so that `QWASR_KEYVALUE__<STORE>` and `QWASR_KEYVALUE_STORES` mean
            something.
        help: one line for `qwasr plugins`.
    """

    name: str
    wit: tuple[str, ...]
    hosts: Callable[[], Sequence[type[HostInterface]]]
    default: str | None = None
    stores: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    """A backend that tests use in the place of a service; see `qwasr.testing`.

    Args:
        interface: the interface's name; tests find the backend as `guest.<interface>`.
        make: makes a fresh backend object, already usable, that goes by the test's clock; `qwasr.testing.fakes` has
            what most are made of.
        servers: returns classes that serve in tests in the place of the installed ones of the same exports. The
            backend's attribute ``server`` is set to the one that serves.
        shortcuts: methods of the backend that tests find on `guest` itself, such as ``"get"``.
    """

    interface: str
    make: Callable[[Clock], Any]
    servers: Callable[[], Sequence[type[Server]]] = tuple
    shortcuts: tuple[str, ...] = ()


@hookspec
def qwasr_register_interfaces() -> list[Interface]:
    """Return the interfaces that this plug-in serves to guests."""
    return []


@hookspec
def qwasr_register_backends() -> list[type[Backend]]:
    """Return the backend classes that interfaces may be bound to."""
    return []


@hookspec
def qwasr_register_servers() -> list[type[Server]]:
    """Return the classes that call what guests export."""
    return []


@hookspec
def qwasr_register_commands() -> list[click.Command]:
    """Return further commands of the `qwasr` command line."""
    return []


@hookspec
def qwasr_register_fakes() -> list[Fake]:
    """Return the stand-ins that tests use instead of services."""
    return []
