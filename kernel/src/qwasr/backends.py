"""Which backend serves which interface and named store, and why.

====================================== ===========================================================================
``QWASR_KEYVALUE=redis``               the interface's backend by name; its own variables configure it
``QWASR_KEYVALUE=redis://cache:6379``  the same by URL: the scheme names the backend, the URL fills its address option
``QWASR_KEYVALUE__SESSIONS=memory``    one named store on a backend of its own, by name or by URL
``QWASR_KEYVALUE_STORES=a,b``          the only stores that guests may open by name
unset                                  the interface's embedded default
====================================== ===========================================================================

The more special one wins. A store's name is folded to upper case, anything but letters and digits to ``_``; two stores
that fold to one name are an error, because one variable would stand for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qwasr.errors import ConfigurationError
from qwasr.options import mask_url
from qwasr.settings import ENVIRONMENT, source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwasr.hooks import Interface
    from qwasr.options import ConnectOptions
    from qwasr.protocols import Backend
    from qwasr.registry import Registry
    from qwasr.testing.clock import Clock

__all__ = ["Binding", "Choice", "allowed_stores", "choose", "fold", "interface_variable", "store_variables"]

_NOT_IN_A_VARIABLE: Final = re.compile(r"[^A-Z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What serves one interface, or one named store of it.

    Attributes:
        interface: the interface's name.
        store: the folded name of the store, ``None`` for the interface itself.
        backend: the backend's name; empty for an interface that needs none.
        why: what decided it, without credentials.
        imports: the component's imports that the interface serves.
    """

    interface: str
    store: str | None
    backend: str
    why: str
    imports: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = self.interface if self.store is None else f"{self.interface} store {self.store}"
        return f"{name}: {self.backend or 'no backend needed'} ({self.why})"

    def describe(self) -> list[str]:
        """Return lines for the user: the decision, then ``wasi:io@0.2.9: poll, streams`` for each package it serves."""
        packages: dict[str, list[str]] = {}
        for imported in self.imports:
            interface, at, version = imported.partition("@")
            package, _, short = interface.partition("/")
            packages.setdefault(f"{package}{at}{version}", []).append(short)
        return [str(self), *(f"  {package}: {', '.join(names)}" for package, names in packages.items())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One decision: a ready object, or a backend class and what its options are read from.

    Attributes:
        binding: the decision in words.
        ready: a backend object that was handed over; it is its owner's to close.
        fake: whether that is a stand-in, made for this runtime.
        backend: the class to connect, when nothing was handed over.
        options: its options.
    """

    binding: Binding
    ready: Any = None
    fake: bool = False
    backend: type[Backend] | None = None
    options: ConnectOptions | None = None


def fold(name: str) -> str:
    """Return a store's name as it stands in a variable: ``my-sessions`` is ``MY_SESSIONS``."""
    return _NOT_IN_A_VARIABLE.sub("_", name.upper())


def interface_variable(interface: str) -> str:
    """Return the variable that chooses an interface's backend: ``QWASR_KEYVALUE``."""
    return f"QWASR_{fold(interface)}"


def choose(
    interface: Interface,
    registry: Registry,
    environ: Mapping[str, str],
    *,
    ready: Mapping[str, Any] | None = None,
    fakes: Clock | None = None,
) -> list[Choice]:
    """Decide what serves one interface and each of its configured stores, without connecting anything.

    Args:
        interface: the interface.
        registry: the installed backends.
        environ: the variables.
        ready: backend objects by ``"keyvalue"`` for the interface or ``"keyvalue/sessions"`` for one store; they win.
        fakes: the clock of the stand-ins that serve instead of what is configured; ``None`` for no stand-ins.

    Returns:
        The interface's own choice first, then one for each store.

    Raises:
        ConfigurationError: a variable names a backend that is not installed, or two stores fold to one name.
        OptionError: a variable of a chosen backend does not fit.
    """
    stores: dict[str, Choice] = {}
    given = dict(ready or {})
    for key, variable, text in store_variables(interface.name, environ) if interface.stores else ():
        if key in stores:
            raise ConfigurationError(f"{variable}: another variable stands for the store {key} too; unset one of them")
        stores[key] = _chosen(interface, key, variable, text, registry, environ)
    for name, backend in given.items():
        owner, _, store = name.partition("/")
        if store and owner == interface.name:
            stores[fold(store)] = _handed_over(interface, fold(store), backend)
    return [_default_choice(interface, registry, environ, given.get(interface.name), fakes=fakes), *stores.values()]


def _default_choice(
    interface: Interface, registry: Registry, environ: Mapping[str, str], ready: Any, *, fakes: Clock | None
) -> Choice:
    if ready is not None:
        return _handed_over(interface, None, ready)
    if fakes is not None and (fake := registry.fake(interface.name)) is not None:
        backend = fake.make(fakes)
        name = getattr(backend, "name", type(backend).__name__)
        binding = Binding(interface=interface.name, store=None, backend=name, why="a fake, for tests")
        return Choice(binding=binding, ready=backend, fake=True)
    variable = interface_variable(interface.name)
    if text := environ.get(variable, ""):
        return _chosen(interface, None, variable, text, registry, environ)
    if interface.default is not None:
        why = f"default{_unused_settings(interface, registry, environ)}"
        return _connected(interface, None, registry.backend(interface.name, interface.default), environ, why)
    if installed := registry.backends(interface.name):
        raise ConfigurationError(f"{interface.name} has no default backend: set {variable} to {_one_of(installed)}")
    return Choice(binding=Binding(interface=interface.name, store=None, backend="", why="none is installed"))


def _chosen(
    interface: Interface,
    store: str | None,
    variable: str,
    text: str,
    registry: Registry,
    environ: Mapping[str, str],
) -> Choice:
    origin = source(environ, variable)
    why = f"{variable}={mask_url(text)}" + ("" if origin == ENVIRONMENT else f" from {origin}")
    try:
        if "://" not in text:
            return _connected(interface, store, registry.backend(interface.name, text), environ, why)
        backend = registry.backend_for_url(interface.name, text)
    except ConfigurationError as error:
        if type(error) is not ConfigurationError:  # an OptionError already names its variable
            raise
        raise ConfigurationError(f"{why}: {error}") from error
    field = backend.Options.address_field()
    if field is None:
        raise ConfigurationError(f"{why}: backend {backend.name!r} takes no address; write {variable}={backend.name}")
    return _connected(interface, store, backend, environ, why, **{field: text})


def _connected(
    interface: Interface,
    store: str | None,
    backend: type[Backend],
    environ: Mapping[str, str],
    why: str,
    **overrides: str,
) -> Choice:
    binding = Binding(interface=interface.name, store=store, backend=backend.name, why=why)
    return Choice(binding=binding, backend=backend, options=backend.Options.from_env(environ, **overrides))


def _handed_over(interface: Interface, store: str | None, backend: Any) -> Choice:
    name = getattr(backend, "name", type(backend).__name__)
    binding = Binding(interface=interface.name, store=store, backend=name, why="handed over by the program")
    return Choice(binding=binding, ready=backend)


def store_variables(interface: str, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return folded store name, variable and value for each ``QWASR_<INTERFACE>__<STORE>``."""
    prefix = f"{interface_variable(interface)}__"
    return [
        (fold(variable[len(prefix) :]), variable, text)
        for variable, text in sorted(environ.items())
        if variable.startswith(prefix) and len(variable) > len(prefix) and text
    ]


def _unused_settings(interface: Interface, registry: Registry, environ: Mapping[str, str]) -> str:
    """Return a remark when a service's address is set but nothing chooses the service: an easy thing to forget."""
    used = {interface.default, *(text for _, _, text in store_variables(interface.name, environ))}
    for name, backend in sorted(registry.backends(interface.name).items()):
        for variable in backend.Options.variables():
            if variable.address and name not in used and environ.get(variable.name):
                chooser = interface_variable(interface.name)
                return f"; {variable.name} is set but not used, {chooser}={name} would choose it"
    return ""


def _one_of(names: Mapping[str, object]) -> str:
    return " or ".join(sorted(names))


def allowed_stores(interface: str, environ: Mapping[str, str]) -> list[str] | None:
    """Return the names that `QWASR_<INTERFACE>_STORES` lists, or ``None`` when it is not set."""
    text = environ.get(f"{interface_variable(interface)}_STORES")
    return None if text is None else [name for part in text.split(",") if (name := part.strip())]
