"""The embedding API: connect, compile, link, serve, drain.

::

    async with Runtime("app.wasm", backends={"keyvalue": Memory()}) as runtime:
        await runtime.serve()

A `Runtime` owns everything of one component: plug-ins, engine, backends, servers. Nothing is shared between two of
them, so one process can run several. The command line is a user of this class and does nothing that others cannot.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from qwasr._draining import Draining
from qwasr._log import log_guest_error
from qwasr._signals import StopSignals
from qwasr.backends import allowed_stores, choose
from qwasr.connections import BackendSet, Connections, make_hosts, refuse_divided
from qwasr.environment import all_variables, unread_variables
from qwasr.errors import ComponentError
from qwasr.guest import Guest, GuestCall
from qwasr.registry import Registry
from qwasr.runtime_options import RuntimeOptions
from qwasr.settings import Settings
from qwasr.source import Source
from qwasr.telemetry import Telemetry

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from qwasr.backends import Binding
    from qwasr.engine import Component, Engine, LinkedComponent
    from qwasr.hosting import HostInterface
    from qwasr.protocols import Server
    from qwasr.testing.clock import Clock

__all__ = ["Guest", "GuestCall", "Runtime", "RuntimeOptions", "log_guest_error"]

_logger = logging.getLogger("qwasr.runtime")
T = TypeVar("T")


class Runtime:
    """One component, ready to be called and served while the `async with` block lasts.

    Args:
        component: path of a component (`.wasm`) or of component text (`.wat`), or its bytes; or what `engine` loaded.
        backends: backend objects that win over every variable, by interface (``"keyvalue"``) or by named store
            (``"keyvalue/sessions"``). They stay the caller's: the runtime does not close them.
        environ: the variables to read; the process's own when not given.
        plugins: plug-in modules besides the installed ones; or a `Registry`, which is all there is then.
        fakes: whether the stand-ins that plug-ins register for tests serve instead of configured backends and of
            servers; or the clock that they go by.
        allow_precompiled: whether a precompiled file is loaded. It is native code: trust it as you trust a program.
        trap_unknown_imports: whether imports that nothing provides become functions that trap when called.
        options: limits of the runtime; read from `environ` when not given.
        workers: how many processes serve the same component at the same addresses, this one included; ``None`` when
            there is no other one, nor one that takes its place while it still serves.
        engine: one that outlives this runtime and has limits of its own; it stays the caller's. One is made when none
            is given.

    Attributes:
        telemetry: what was counted.
        listening: sockets that servers listen on, by address, where a process that comes after may take them over.
        guest: the linked component.
        fakes: the stand-ins that serve, by interface.
        registry: what is installed.
        bindings: what serves each interface that the component imports, and why.
        servers: the servers that run, after `start`.

    Raises, on entering the block:
        ConfigurationError: a variable or file is wrong.
        PluginError: a plug-in that was asked for is missing, or plug-ins contradict each other.
        BackendError: a backend cannot be connected.
        ComponentError: the component cannot be loaded; as `LinkError`, its imports cannot be provided.
    """

    guest: Guest
    registry: Registry
    bindings: tuple[Binding, ...]
    servers: tuple[Server, ...]

    def __init__(
        self,
        component: str | Path | bytes | Component,
        *,
        backends: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        plugins: Iterable[object] | Registry | None = None,
        fakes: bool | Clock = False,
        allow_precompiled: bool = False,
        trap_unknown_imports: bool = False,
        options: RuntimeOptions | None = None,
        workers: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._source = component
        self._ready = dict(backends or {})
        self._environ = environ if isinstance(environ, Settings) else dict(os.environ if environ is None else environ)
        self._plugins = plugins if isinstance(plugins, Registry) else tuple(plugins or ())
        self._clock = _clock(fakes)
        self._allow_precompiled = allow_precompiled
        self._trap_unknown_imports = trap_unknown_imports
        self._options = options
        self._workers = workers
        self._connections = Connections()
        self._lent, self._engine = engine, engine
        self._exit = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._stop_lock = asyncio.Lock()
        self._draining = Draining()
        self.telemetry = Telemetry()
        self.listening: dict[str, socket.socket] = {}
        self.fakes: dict[str, Any] = {}
        self.bindings = ()
        self.servers = ()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            plugins = self._plugins
            self.registry = plugins if isinstance(plugins, Registry) else Registry(plugins, environ=self._environ)
            self._warn()
            options = self._options = self._options or RuntimeOptions.from_env(self._environ)
            stack.callback(self._close_engine)  # before there is one: loading may be cancelled half way
            ready = not isinstance(self._source, str | Path | bytes)
            engine, component = self._load(options) if ready else await _in_thread(lambda: self._load(options))
            self._component = component
            stack.push_async_callback(self._close_backends)
            hosts = await self._connect(self._connections)
            linked = self._link(engine, hosts)
            self.guest = Guest(
                component.name,
                linked,
                options.guest_timeout_s,
                self.telemetry,
                reuse=options.reuse,
                backend_timeout_s=options.backend_timeout_s,
            )
            stack.callback(self.guest.close)
            stack.push_async_callback(self._close_servers)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._exit:
            if kind is None:
                await self.stop()

    async def call(self, interface: str | None, function: str, *arguments: Any) -> Any:
        """Call an exported function on a fresh instance, under the deadline.

        Args:
            interface: the exported interface, ``None`` for a function that the world exports itself.
            function: its name in WIT.
            arguments: the values that `qwasr.values` describes.

        Raises:
            ComponentError: the component exports no such function.
            WitError: the function's result is a ``result``, and it is an error.
            GuestError: the call ended without a result.
        """
        exported = self.guest.function(interface, function)
        async with self.guest.call() as call:
            return await call.invoke(exported, *arguments)

    @property
    def has_servers(self) -> bool:
        """Whether an installed server serves something that the guest exports."""
        return bool(self._server_classes())

    async def start(self) -> None:
        """Start every installed server whose interface the guest exports.

        Raises:
            ComponentError: there is nothing to serve.
            OptionError: a variable of a server does not fit.
            ServeError: a server cannot listen.
        """
        classes = self._server_classes()
        if not classes:
            raise ComponentError(self.registry.nothing_to_serve(self.guest.name, self._component.exports))
        servers: list[Server] = []
        try:
            for server in [self._make_server(cls) for cls in classes]:
                await server.start(self.guest)
                servers.append(server)
        finally:
            self.servers = tuple(servers)  # what did start is closed with the block

    async def stop(self) -> None:
        """Take nothing new, let what runs finish for `QWASR_SHUTDOWN_S` at most, and close the servers."""
        self._stopping.set()
        async with self._stop_lock:
            try:
                await self._draining.drain(self.servers, self._shutdown_s)
            finally:
                await self._close_servers()

    def ask_to_stop(self, *, now: bool = False) -> None:
        """Have `serve` drain and return, without waiting for it; with `now` what runs is not waited for."""
        self._stopping.set()
        if now:
            self._draining.hurry()

    async def check(self) -> list[tuple[str, str]]:
        """Ask every connected backend whether it is usable; return the name of each that is not, and why."""
        return await self._connections.check()

    def snapshot(self) -> dict[str, Any]:
        """Return what was counted, and how many calls run and wait now, as plain data."""
        slots = self._engine.slots if self._engine is not None else None
        if slots is None:
            return self.telemetry.snapshot()
        return self.telemetry.snapshot(running=slots.running, waiting=slots.waiting, slots=slots.capacity)

    async def serve(self, on_ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop` is called or SIGTERM or SIGINT arrives, then drain; a second signal cuts that short.

        SIGHUP has servers read again what they read from files, if they can: certificates.

        Args:
            on_ready: called once, when every server serves.

        Raises:
            ComponentError, OptionError, ServeError: as `start` does.
        """
        with StopSignals(self._on_signal, self._on_hang_up):
            await self.start()
            if on_ready is not None:
                on_ready()
            await self._stopping.wait()
            await self.stop()

    def describe_bindings(self) -> list[str]:
        """Return lines for the user: what serves each interface and why, and below it the imports that it serves."""
        return [line for binding in self.bindings for line in binding.describe()]

    def describe_servers(self) -> list[str]:
        """Return a line for the user for each server that runs: what it serves, and where."""
        return [f"{self.guest.name} serves {server.export} at {server.describe()}" for server in self.servers]

    def _server_classes(self) -> list[type[Server]]:
        servers = [server for server in self.registry.servers if self.guest.exports(server.export)]
        if self._clock is None:
            return servers
        stand_ins = {server.export: server for server in self.registry.fake_servers}
        return [stand_ins.get(server.export, server) for server in servers]

    def _on_signal(self, name: str, times: int) -> None:
        if times == 1:
            _logger.info("%s: taking nothing new, finishing what runs", name)
        else:
            _logger.warning("%s again: stopping at once", name)
        self.ask_to_stop(now=times > 1)

    def _on_hang_up(self) -> None:
        for server in self.servers:
            reload: Callable[[], None] | None = getattr(server, "reload", None)
            if reload is None:
                continue
            try:
                reload()
            except Exception:
                _logger.exception("the server of %s goes on with what it read before", server.export)

    def _make_server(self, cls: Any) -> Server:
        server: Any = cls(cls.Options.from_env(self._environ))
        if self._workers is not None and hasattr(server, "listening"):
            server.listening = self.listening
        made: Server = server
        return made

    async def _close_servers(self) -> None:
        servers, self.servers = self.servers, ()
        for server in servers:
            try:
                await server.close()
            except Exception:
                _logger.exception("the server of %s does not close cleanly", server.export)

    @property
    def _shutdown_s(self) -> float:
        return self._options.shutdown_s if self._options else 0.0

    def _load(self, options: RuntimeOptions) -> tuple[Engine, Component]:
        """Make the engine and compile; in a thread, since the first compilation of a large component takes seconds."""
        if not isinstance(self._source, str | Path | bytes):  # compiled already
            from qwasr.engine import Engine

            engine = self._engine = self._lent or Engine(options.engine(self._environ))
            return engine, self._source
        with ThreadPoolExecutor(1, "qwasr-read") as beside:
            source = beside.submit(Source.of, self._source)
            from qwasr.engine import Engine  # a tenth of a second, in which the file is read and hashed

        engine = self._engine = self._lent or Engine(options.engine(self._environ))
        return engine, engine.load(source.result(), allow_precompiled=self._allow_precompiled)

    def _close_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and engine is not self._lent:
            engine.close()

    async def _close_backends(self) -> None:
        fakes, self.fakes = self.fakes, {}
        for interface, fake in fakes.items():
            try:
                await fake.close()
            except Exception:
                _logger.exception("the fake of %s does not close cleanly", interface)
        await self._connections.close()

    async def _connect(self, connections: Connections) -> list[HostInterface]:
        """Connect what the component's imports need, and nothing else; return the objects behind the imports."""
        hosts: list[HostInterface] = []
        bindings: list[Binding] = []
        for interface, imports in self.registry.needed(self._component.imports):
            choices = choose(interface, self.registry, self._environ, ready=self._ready, fakes=self._clock)
            if (self._workers or 1) > 1:
                refuse_divided(choices, self._workers or 1)
            if choices[0].fake:
                self.fakes[interface.name] = choices[0].ready
            default, *stores = [await connections.connect(choice) for choice in choices]
            bindings += [replace(choice.binding, imports=imports) for choice in choices]
            names = [choice.binding.store or "" for choice in choices[1:]]
            backends: BackendSet[Any] = BackendSet(
                interface.name,
                default,
                dict(zip(names, stores, strict=True)),
                allowed=allowed_stores(interface.name, self._environ),
            )
            made = make_hosts(interface, backends)
            for host in made:
                if interface.stores or host.counted:  # a service may be behind it
                    host.counter = self.telemetry.host(interface.name)
            hosts += made
        self.bindings = tuple(bindings)
        return hosts

    def _link(self, engine: Engine, hosts: list[HostInterface]) -> LinkedComponent:
        linked = engine.link(
            self._component,
            hosts,
            trap_unknown_imports=self._trap_unknown_imports,
            providers=self.registry.hint,
        )
        for name in linked.trapped:
            _logger.warning("nothing provides %s: its functions trap when they are called", name)
        return linked

    def _warn(self) -> None:
        variables = all_variables(self.registry)
        slips = unread_variables(variables, self._environ, self.registry)
        for sentence in [*self.registry.problems, *slips]:
            _logger.warning("%s", sentence)


def _clock(fakes: bool | Clock) -> Clock | None:
    if fakes is True:
        from qwasr.testing.clock import Clock

        return Clock()
    return fakes or None


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread and never leave it behind: what it uses is closed after it has ended."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        task.exception()  # looked at, so that asyncio does not complain that no one did
        raise
