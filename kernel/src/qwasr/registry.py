"""What is installed: plug-ins, and the interfaces, backends, servers, commands and fakes that they register."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import pluggy

from qwasr import hooks
from qwasr._known import BACKEND_DISTRIBUTIONS, WIT_DISTRIBUTIONS, did_you_mean, wit_base
from qwasr.errors import ConfigurationError, PluginError
from qwasr.options import ConnectOptions, mask_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import click

    from qwasr.hooks import Fake, Interface
    from qwasr.protocols import Backend, Server

__all__ = ["RUNS_ONCE", "Plugin", "Registry"]

RUNS_ONCE: Final = (
    "a command runs once, in one process: run it without --workers (QWASR_WORKERS) and --admin-address (ADMIN_ADDR)"
)


@dataclass(slots=True, kw_only=True)
class Plugin:
    """One plug-in and what it offers.

    Attributes:
        name: the entry point's name, or the module's for one that was handed over.
        distribution: the installed distribution it comes from; empty for one that was handed over.
        version: the distribution's version.
        error: why it is not used, or empty.
    """

    name: str
    distribution: str = ""
    version: str = ""
    error: str = ""
    interfaces: list[Interface] = field(default_factory=list)
    backends: list[type[Backend]] = field(default_factory=list)
    servers: list[type[Server]] = field(default_factory=list)
    commands: list[click.Command] = field(default_factory=list)
    fakes: list[Fake] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The plug-in in an error message: its distribution and version where there is one."""
        return f"{self.distribution} {self.version}" if self.distribution else f"plug-in {self.name}"


class Registry:
    """The plug-ins of one runtime.

    Args:
        plugins: modules or objects with hook functions, besides the installed ones. What is wrong with one of them
            is an error at once.
        environ: where `QWASR_PLUGINS` is looked up: a comma separated list of entry-point names loads only those, and
            an empty one none.
        entry_points: the installed plug-ins; those of entry-point group ``qwasr`` when not given.

    Raises:
        PluginError: a plug-in that was asked for is missing or cannot be used, or two plug-ins register the same name.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        environ: Mapping[str, str],
        entry_points: Iterable[metadata.EntryPoint] | None = None,
    ) -> None:
        self.plugins: list[Plugin] = []
        self.interfaces: dict[str, Interface] = {}
        self._manager = pluggy.PluginManager("qwasr")
        self._manager.add_hookspecs(hooks)
        self._origins: dict[tuple[str, ...], Plugin] = {}
        for module in plugins:
            self._add(module, Plugin(name=str(getattr(module, "__name__", type(module).__name__))), asked_for=True)
        self._discover(environ, entry_points)

    def backend(self, interface: str, name: str) -> type[Backend]:
        """Return the backend of one name.

        Raises:
            ConfigurationError: none is installed; the message lists what is, and what to install.
        """
        found = self.backends(interface)
        if name not in found:
            raise ConfigurationError(f"no backend {name!r} for {interface}. {self._advice(name, found)}")
        return found[name]

    def backend_for_url(self, interface: str, url: str) -> type[Backend]:
        """Return the backend that a URL's scheme chooses.

        Raises:
            ConfigurationError: no installed backend of the interface, or more than one, knows the scheme.
        """
        scheme = url.partition("://")[0].lower()
        found = self.backends(interface).values()
        fitting = [backend for backend in found if scheme in backend.schemes]
        if len(fitting) > 1:
            names = ", ".join(sorted(backend.name for backend in fitting))
            raise ConfigurationError(f"{mask_url(url)}: several backends of {interface} know this scheme: {names}")
        if not fitting:
            schemes = {known: backend for backend in found for known in backend.schemes}
            raise ConfigurationError(
                f"no backend of {interface} for a URL that begins with {scheme}://. {self._advice(scheme, schemes)}"
            )
        return fitting[0]

    def backends(self, interface: str) -> dict[str, type[Backend]]:
        """Return the backends of one interface by name."""
        usable = (backend for plugin in self.plugins for backend in plugin.backends)
        return {backend.name: backend for backend in usable if interface in backend.provides}

    @property
    def problems(self) -> list[str]:
        """A sentence for each plug-in that is installed but not used."""
        return [f"{plugin.origin} is not used: {plugin.error}" for plugin in self.plugins if plugin.error]

    @property
    def servers(self) -> list[type[Server]]:
        """The server classes of all plug-ins."""
        return [server for plugin in self.plugins for server in plugin.servers]

    @property
    def fake_servers(self) -> list[type[Server]]:
        """The server classes that serve in tests in the place of others."""
        return [server for plugin in self.plugins for fake in plugin.fakes for server in fake.servers()]

    @property
    def commands(self) -> list[click.Command]:
        """The further commands of all plug-ins."""
        return [command for plugin in self.plugins for command in plugin.commands]

    def fake(self, interface: str) -> Fake | None:
        """Return the stand-in of an interface, if a plug-in registers one."""
        fakes = (fake for plugin in self.plugins for fake in plugin.fakes)
        return next((fake for fake in fakes if fake.interface == interface), None)

    def interface_of(self, import_name: str) -> Interface | None:
        """Return the interface that serves a component's import, whatever its version."""
        base = wit_base(import_name)
        return next((one for one in self.interfaces.values() if base in map(wit_base, one.wit)), None)

    def origin_of(self, interface: Interface) -> str:
        """Return the distribution and version of the plug-in that serves an interface."""
        return next((plugin.origin for plugin in self.plugins if interface in plugin.interfaces), "")

    def needed(self, imports: Iterable[str]) -> list[tuple[Interface, tuple[str, ...]]]:
        """Return the interfaces that serve a component's imports, each with those imports."""
        found: dict[str, tuple[Interface, tuple[str, ...]]] = {}
        for name in imports:
            interface = self.interface_of(name)
            if interface is not None:
                _, earlier = found.get(interface.name, (interface, ()))
                found[interface.name] = interface, (*earlier, name)
        return list(found.values())

    def nothing_to_serve(self, name: str, exports: Sequence[str]) -> str:
        """Say that no server serves any export of a component, and what would."""
        servers = ", ".join(sorted(server.export for server in self.servers)) or "none is installed"
        hints = [hint for export in exports if (hint := self.server_hint(export))]
        if any(wit_base(export) == "wasi:cli/run" for export in exports):
            hints.append(RUNS_ONCE)
        advice = f" To run it: {'; '.join(dict.fromkeys(hints))}." if hints else ""
        exported = ", ".join(exports) or "nothing"
        return f"{name} exports nothing that can be served. It exports: {exported}. Servers: {servers}.{advice}"

    def hint(self, import_name: str) -> str | None:
        """Return what would provide an import that nothing installed provides, or ``None`` when nothing is known."""
        distribution = WIT_DISTRIBUTIONS.get(wit_base(import_name).partition("/")[0])
        if self.interface_of(import_name) is not None or distribution is None:
            return None
        broken = next((plugin for plugin in self.plugins if plugin.error and plugin.distribution == distribution), None)
        if broken is not None:
            return f"{broken.origin} is installed but not used: {broken.error}"
        if any(plugin.distribution == distribution for plugin in self.plugins):
            return None
        return f"pip install {distribution}"

    def server_hint(self, export_name: str) -> str | None:
        """Return what would serve a component's export, or ``None`` when it is served or nothing is known."""
        base = wit_base(export_name)
        distribution = WIT_DISTRIBUTIONS.get(base.partition("/")[0])
        if distribution is None or not base.endswith(("handler", "watcher")):
            return None
        return (
            None
            if any(plugin.distribution == distribution for plugin in self.plugins)
            else f"pip install {distribution}"
        )

    def _discover(self, environ: Mapping[str, str], entry_points: Iterable[metadata.EntryPoint] | None) -> None:
        group = metadata.entry_points(group=hooks.ENTRY_POINT_GROUP) if entry_points is None else entry_points
        # The same distribution can be on the path twice, as a wheel and as an editable install.
        installed = {(point.name, point.value): point for point in group}.values()
        wanted = environ.get("QWASR_PLUGINS")
        names = None if wanted is None else [name for part in wanted.split(",") if (name := part.strip())]
        known = {point.name for point in installed}
        for name in names or ():
            if name not in known:
                message = f"QWASR_PLUGINS asks for {name!r}, which is not installed.{did_you_mean(name, known)}"
                raise PluginError(f"{message} Installed: {', '.join(sorted(known)) or 'none'}.")
        for point in installed:
            if names is None or point.name in names:
                self._load(point, asked_for=names is not None)

    def _load(self, point: metadata.EntryPoint, *, asked_for: bool) -> None:
        plugin = Plugin(
            name=point.name,
            distribution=point.dist.name if point.dist else "",
            version=point.dist.version if point.dist else "",
        )
        try:
            module = point.load()
        except Exception as error:  # noqa: BLE001 - a stranger's module may fail in any way, the others must still work
            self._refuse(plugin, f"it cannot be imported: {type(error).__name__}: {error}", error, asked_for=asked_for)
            return
        if not self._manager.is_registered(module):  # it may have been handed over as well
            self._add(module, plugin, asked_for=asked_for)

    def _add(self, module: object, plugin: Plugin, *, asked_for: bool) -> None:
        api = getattr(module, "KERNEL_API", 1)
        if api != hooks.KERNEL_API:
            reason = (
                f"it is made for kernel API {api}, and this kernel has {hooks.KERNEL_API}: install a version that fits"
            )
            self._refuse(plugin, reason, None, asked_for=asked_for)
            return
        try:
            # Pluggy's own choice, the module's name, is not unique among objects that are no modules.
            self._manager.register(module, name=f"{plugin.name}#{len(self.plugins)}")
            self._check_names(module)
            self._collect(module, plugin)
        except Exception as error:  # noqa: BLE001 - and so may its hooks
            if self._manager.is_registered(module):
                self._manager.unregister(module)
            reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            self._refuse(plugin, f"its registration fails: {reason}", error, asked_for=asked_for)
            return
        self.plugins.append(plugin)
        self._claim_names(plugin)

    def _refuse(self, plugin: Plugin, reason: str, cause: Exception | None, *, asked_for: bool) -> None:
        """Keep a plug-in that cannot be used among `problems`; it is an error when it was asked for."""
        if asked_for:
            raise PluginError(f"{plugin.origin} cannot be used: {reason}") from cause
        # A new one: the refused plug-in may have registered half of what it offers.
        self.plugins.append(
            Plugin(name=plugin.name, distribution=plugin.distribution, version=plugin.version, error=reason)
        )

    def _check_names(self, module: object) -> None:
        """Refuse hook functions that no kernel calls: a misspelt one would be silently without effect."""
        for name in dir(module):
            options = self._manager.parse_hookimpl_opts(module, name)
            if options is not None and not hasattr(hooks, options["specname"] or name):
                specs = [spec for spec in vars(hooks) if spec.startswith("qwasr_register_")]
                raise PluginError(f"no hook is called {name!r}.{did_you_mean(name, specs)}")

    def _collect(self, module: object, plugin: Plugin) -> None:
        """Call this plug-in's hooks, and no other's, so that what fails has a name."""
        for caller in self._manager.get_hookcallers(module) or ():
            target = getattr(plugin, caller.name.removeprefix("qwasr_register_"))
            for implementation in caller.get_hookimpls():
                if implementation.plugin is module:
                    target.extend(implementation.function())
        for backend in plugin.backends:
            _require(backend, ("name", str), ("provides", tuple), ("schemes", tuple))
            if not issubclass(getattr(backend, "Options", object), ConnectOptions):
                raise PluginError(f"backend {backend.__qualname__} needs a class attribute Options, a ConnectOptions")
        for server in plugin.servers:
            _require(server, ("export", str))

    def _claim_names(self, plugin: Plugin) -> None:
        for interface in plugin.interfaces:
            self._claim(("interface", interface.name), f"an interface named {interface.name!r}", plugin)
            self.interfaces[interface.name] = interface
        for backend in plugin.backends:
            for name in backend.provides:
                self._claim(("backend", name, backend.name), f"a backend {backend.name!r} for {name}", plugin)
        for server in plugin.servers:
            self._claim(("server", server.export), f"a server for {server.export}", plugin)

    def _claim(self, key: tuple[str, ...], what: str, plugin: Plugin) -> None:
        other = self._origins.get(key)
        if other is plugin:
            raise PluginError(f"{plugin.origin} registers {what} twice")
        if other is not None:
            message = f"{other.origin} and {plugin.origin} both register {what}; uninstall one of them"
            raise PluginError(f"{message}, or choose with QWASR_PLUGINS")
        self._origins[key] = plugin

    @staticmethod
    def _advice(name: str, installed: Iterable[str]) -> str:
        known = sorted(installed)
        text = f"Installed: {', '.join(known) or 'none'}.{did_you_mean(name, known)}"
        if name in BACKEND_DISTRIBUTIONS:
            text += f" To install it: pip install {BACKEND_DISTRIBUTIONS[name]}."
        return text


def _require(cls: type[Any], *attributes: tuple[str, type]) -> None:
    for name, kind in attributes:
        if not isinstance(getattr(cls, name, None), kind):
            raise PluginError(
                f"{cls.__module__}.{cls.__qualname__} needs a class attribute {name!r}, a {kind.__name__}"
            )
