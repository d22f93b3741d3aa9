"""Would a component run here? Everything that `qwasr run` does before it serves, each step by itself.

::

    findings = await Checkup("app.wasm", environ).examine()
    would_run = not any(finding.failed for finding in findings)

What one step finds wrong does not keep the others from being tried, so one look shows everything that is in the way.
Backends are connected and asked; servers are asked whether they could listen, and nothing is served. One instance of
the component is made, since only then its limits are known to suffice; none of its exports is called.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qwasr._known import wit_base
from qwasr.backends import allowed_stores, choose
from qwasr.checkup_servers import examine_admin_address, examine_server
from qwasr.connections import BackendSet, Connections, make_hosts, refuse_divided
from qwasr.environment import all_variables, misspelt, unread_variables
from qwasr.errors import ComponentError, ConfigurationError, LinkError, OptionError, QwasrError
from qwasr.findings import Finding, Setting, chosen_by_url, describe_options, failed_connection, failure, wrong_values
from qwasr.guest import Guest
from qwasr.registry import RUNS_ONCE, Registry
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwasr.backends import Choice
    from qwasr.engine import Component, Engine, LinkedComponent
    from qwasr.hooks import Interface
    from qwasr.hosting import HostInterface

__all__ = ["Checkup"]

CONNECT_S: Final = 10.0
_COMMAND: Final = "wasi:cli/run"


class Checkup:
    """Tries what running a component needs.

    Args:
        component: path of the component.
        environ: the variables to read; `Settings` lets findings say where each came from.
        plugins: plug-in modules besides the installed ones.
        connect_s: how long a backend may take to be connected and to say that it is usable, in seconds.
    """

    def __init__(
        self,
        component: Path,
        environ: Mapping[str, str],
        *,
        plugins: Iterable[object] = (),
        connect_s: float = CONNECT_S,
    ) -> None:
        self._path = component
        self._environ = environ
        self._plugins = tuple(plugins)
        self._connect_s = connect_s
        self._findings: list[Finding] = []
        self._options = RuntimeOptions()
        self._command = CommandOptions()

    async def examine(self) -> list[Finding]:
        """Try everything; return what was found, in the order in which `qwasr run` would come across it."""
        try:
            self._registry = Registry(self._plugins, environ=self._environ)
        except QwasrError as error:
            self._add("plug-ins", failed=error, cause="not installed")
            return self._findings
        self._examine_settings()
        async with AsyncExitStack() as stack:
            loaded = await self._load(stack)
            if loaded is not None:
                engine, component = loaded
                hosts = await self._connect(stack, component)
                await self._link(engine, component, hosts)
                await self._examine_exports(component)
        self._warn()
        return self._findings

    # ------------------------------------------------------------------ steps

    def _examine_settings(self) -> None:
        # Where one of them is wrong, the defaults stand in for all, so that the rest can be tried.
        if not (wrong := wrong_values("settings", RuntimeOptions, self._environ)):
            self._options = RuntimeOptions.from_env(self._environ)
        if not (more := wrong_values("settings", CommandOptions, self._environ)):
            self._command = CommandOptions.from_env(self._environ)
        self._findings += wrong + more

    async def _load(self, stack: AsyncExitStack) -> tuple[Engine, Component] | None:
        from qwasr.engine import Engine

        began_s = time.monotonic()
        try:
            engine = await asyncio.to_thread(Engine, self._options.engine(self._environ))
            stack.callback(engine.close)
            component: Component = await asyncio.to_thread(
                engine.load, self._path, allow_precompiled=self._command.allow_precompiled
            )
        except QwasrError as error:
            self._add("component", failed=error, cause="component")
            return None
        how = "taken from the cache" if component.from_cache else "compiled"
        self._add("component", says=f"{component.size_bytes} bytes, {how} in {time.monotonic() - began_s:.2f} s")
        return engine, component

    async def _connect(self, stack: AsyncExitStack, component: Component) -> list[HostInterface] | None:
        """Try every backend that the component's imports need; return the hosts when all can be had."""
        connections = Connections()
        stack.push_async_callback(connections.close)
        hosts: list[HostInterface] = []
        complete = True
        for interface, imports in self._registry.needed(component.imports):
            made = await self._examine_interface(interface, imports, connections)
            complete = complete and made is not None
            hosts += made or []
        for package, names in self._unprovided(component).items():
            hint = self._registry.hint(names[0]) or "no plug-in that provides it is known"
            error = LinkError(f"nothing provides {', '.join(names)}")
            self._add(package, failed=error, cause="not installed", hint=hint, imports=names)
            complete = False
        return hosts if complete else None

    async def _examine_interface(
        self, interface: Interface, imports: tuple[str, ...], connections: Connections
    ) -> list[HostInterface] | None:
        plugin = self._registry.origin_of(interface)
        try:
            choices = choose(interface, self._registry, self._environ)
        except ConfigurationError as error:
            cause = "value" if isinstance(error, OptionError) else "not installed"
            self._add(interface.name, failed=error, cause=cause, imports=imports, plugin=plugin)
            return None
        backends = [
            await self._examine_choice(choice, connections, imports if choice.binding.store is None else (), plugin)
            for choice in choices
        ]
        if any(
            backend is None and choice.backend is not None for backend, choice in zip(backends, choices, strict=True)
        ):
            return None
        names = [choice.binding.store or "" for choice in choices[1:]]
        try:
            allowed = allowed_stores(interface.name, self._environ)
            stores = dict(zip(names, backends[1:], strict=True))
            return make_hosts(interface, BackendSet[Any](interface.name, backends[0], stores, allowed=allowed))
        except QwasrError as error:
            self._add(interface.name, failed=error, cause="other", plugin=plugin)
            return None

    async def _examine_choice(
        self, choice: Choice, connections: Connections, imports: tuple[str, ...], plugin: str
    ) -> Any | None:
        binding, began_s = choice.binding, time.monotonic()
        subject = binding.interface if binding.store is None else f"{binding.interface} store {binding.store}"
        facts: dict[str, Any] = {
            "imports": imports,
            "plugin": plugin,
            "backend": binding.backend,
            "says": f"{binding.backend or 'no backend needed'} ({binding.why})",
            "variables": self._settings_of(choice),
        }
        try:
            if self._command.workers > 1:
                refuse_divided([choice], self._command.workers)
        except ConfigurationError as error:
            self._add(subject, failed=error, cause="one process", **facts)
            return None
        try:
            async with asyncio.timeout(self._connect_s):
                backend = await connections.connect(choice)
                if choice.backend is not None:
                    await backend.check()
        except ConfigurationError as error:
            self._add(subject, failed=error, cause="value", **facts)
            return None
        except Exception as error:  # noqa: BLE001 - a client library raises what it likes
            slips = self._slips(choice)
            self._findings.append(
                failed_connection(subject, choice, error, slips, self._environ, self._connect_s, facts)
            )
            return None
        if choice.backend is not None:
            facts["says"] += f", answered in {(time.monotonic() - began_s) * 1000:.0f} ms"
        self._add(subject, **facts)
        return backend

    async def _link(self, engine: Engine, component: Component, hosts: list[HostInterface] | None) -> None:
        if hosts is None:
            return
        try:
            linked = engine.link(
                component,
                hosts,
                trap_unknown_imports=self._command.trap_unknown_imports,
                providers=self._registry.hint,
            )
            for name in linked.trapped:
                self._add("warning", says=f"nothing provides {name}: its functions trap when they are called")
            await self._instantiate(component, linked)
        except QwasrError as error:
            self._add("instance", failed=error, cause="component")

    async def _instantiate(self, component: Component, linked: LinkedComponent) -> None:
        guest = Guest(component.name, linked, self._options.guest_timeout_s)
        began_s = time.monotonic()
        try:
            async with guest.call() as call, asyncio.timeout(self._options.guest_timeout_s):
                await call.store.instantiate()
        except TimeoutError:
            message = f"it is not there after {self._options.guest_timeout_s:g} s (QWASR_GUEST_TIMEOUT_S)"
            raise ComponentError(message) from None
        finally:
            guest.close()
        self._add("instance", says=f"made in {(time.monotonic() - began_s) * 1000:.1f} ms")

    async def _examine_exports(self, component: Component) -> None:
        exported = {wit_base(name) for name in component.exports}
        servers = [server for server in self._registry.servers if wit_base(server.export) in exported]
        shared = self._command.workers > 1 or bool(self._command.admin_address)
        for server in servers:
            self._findings += await examine_server(server, self._environ, shared=shared)
        if not servers and _COMMAND in exported:
            error = ComponentError("it is a command, and nothing that can be served") if shared else None
            facts = {"cause": "nothing to serve", "hint": RUNS_ONCE} if shared else {"says": "run once, as a command"}
            self._add(_COMMAND, failed=error, **facts)
        elif not servers:
            error = ComponentError(self._registry.nothing_to_serve(component.name, component.exports))
            self._add("exports", failed=error, cause="nothing to serve")
        if self._command.admin_address:
            self._findings.append(await examine_admin_address(self._command.admin_address))

    def _warn(self) -> None:
        variables = all_variables(self._registry)
        for sentence in [*self._registry.problems, *unread_variables(variables, self._environ, self._registry)]:
            self._findings.append(Finding(subject="warning", says=sentence))

    # ------------------------------------------------------------------ helpers

    def _settings_of(self, choice: Choice) -> tuple[Setting, ...]:
        """Return what a backend reads, but for the address that the URL which chose it has filled."""
        if choice.backend is None:
            return ()
        settings = describe_options(choice.backend.Options, self._environ)
        return tuple(one for one in settings if not (one.address and chosen_by_url(choice)))

    def _unprovided(self, component: Component) -> dict[str, tuple[str, ...]]:
        """Return the imports that nothing provides, by their packages."""
        found: dict[str, tuple[str, ...]] = {}
        if not self._command.trap_unknown_imports:
            for name in component.imports:
                if self._registry.interface_of(name) is None:
                    package = wit_base(name).partition("/")[0]
                    found[package] = (*found.get(package, ()), name)
        return found

    def _slips(self, choice: Choice) -> list[tuple[str, str]]:
        """Return variables that are set and may have been meant for a backend; a URL stands for its address."""
        options = choice.backend.Options.variables() if choice.backend is not None else ()
        wanted = [one for one in options if not (one.address and chosen_by_url(choice))]
        return misspelt(wanted, all_variables(self._registry), self._environ)

    def _add(self, subject: str, *, failed: QwasrError | None = None, **facts: Any) -> None:
        self._findings.append(
            Finding(subject=subject, **facts) if failed is None else failure(subject, failed, **facts)
        )
