"""A guest under test, on stand-ins."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from qwasr.command import Command, run_command
from qwasr.registry import Registry
from qwasr.runtime import Runtime
from qwasr.runtime_options import RuntimeOptions
from qwasr.testing.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from qwasr.engine import Component, Engine, EngineOptions
    from qwasr.hooks import Fake

__all__ = ["Engines", "Guest", "runtime_for_tests"]

_LOOK_AGAIN_S: Final = 0.001


def runtime_for_tests(
    component: str | Path | bytes, *, environ: Mapping[str, str] | None = None, **arguments: Any
) -> Runtime:
    """Return a `Runtime` on fakes, with an empty environment unless one is given, and without a cache on disk.

    Args:
        component: as `Runtime` takes it.
        environ: the variables of the test.
        arguments: whatever else `Runtime` takes.
    """
    environ = {"QWASR_CACHE_DIR": "off", **(environ or {})}
    return Runtime(component, environ=environ, **{"fakes": True, **arguments})


class Engines:
    """What the tests of one session share: plug-ins, engines (one for each set of limits), compiled components."""

    def __init__(self) -> None:
        self._registries: dict[str | None, Registry] = {}
        self._engines: dict[EngineOptions, Engine] = {}
        self._components: dict[tuple[EngineOptions, object], Component] = {}

    def load(self, source: str | Path | bytes, options: EngineOptions) -> tuple[Engine, Component]:
        """Return a component, compiled now or before, and the engine that it runs on. Blocks while it compiles.

        Raises:
            ComponentError: it cannot be read, or is no component that can run.
        """
        from qwasr.engine import Engine

        engine = self._engines.get(options)
        if engine is None:
            engine = self._engines[options] = Engine(options)
        key = options, _identity(source)
        component = self._components.get(key)
        if component is None:
            component = self._components[key] = engine.load(source)
        return engine, component

    def registry(self, environ: Mapping[str, str]) -> Registry:
        """Return the installed plug-ins that a test wants."""
        wanted = environ.get("QWASR_PLUGINS")
        if wanted not in self._registries:
            self._registries[wanted] = Registry(environ=environ)
        return self._registries[wanted]

    def close(self) -> None:
        """Let go of everything; no guest runs any more."""
        self._components.clear()
        while self._engines:
            self._engines.popitem()[1].close()


class Guest:
    """A component in this process, on fakes; ready for calls while its `async with` block lasts.

    ``guest.<interface>`` is the fake that serves an interface which the component imports, for example
    `guest.keyvalue`. A guest of ``wasi:http`` has `get`, `post`, `put`, `delete`, `request` and their like.

    Args:
        component: path of a component or of component text, or the bytes of either.
        environ: variables of the runtime; of the developer's own none is read, except where compiled components are
            kept.
        seed: what all chance follows from.
        plugins: plug-in modules besides the installed ones.
        backends: backends that win over fakes, as `Runtime` takes them.
        engines: compiled components that tests share; the guest has an engine of its own without.

    Attributes:
        clock: the test's time.
        runtime: what the guest runs in.

    Raises, on entering the block: what entering a `Runtime` raises, and `start` of its servers.
    """

    runtime: Runtime

    def __init__(
        self,
        component: str | Path | bytes,
        *,
        environ: Mapping[str, str] | None = None,
        seed: int = 0,
        plugins: Iterable[object] = (),
        backends: Mapping[str, Any] | None = None,
        engines: Engines | None = None,
    ) -> None:
        self._component = component
        self._environ = dict(environ or {})
        self._plugins = tuple(plugins)
        self._backends = backends
        self._shared = engines is not None
        self._engines = engines or Engines()
        self._shortcuts: dict[str, Any] = {}
        self.clock = Clock(seed=seed)

    def __getattr__(self, name: str) -> Any:
        runtime = self.__dict__.get("runtime")
        if runtime is None:
            message = f"{name!r}: the guest has none before its block is entered"
            raise AttributeError(message)
        if name in runtime.fakes:
            return runtime.fakes[name]
        if name in self._shortcuts:
            return self._shortcuts[name]
        served = ", ".join(sorted(runtime.fakes)) or "nothing"
        message = f"the guest {runtime.guest.name} has no {name!r}; it imports {served}"
        raise AttributeError(message)

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            self._let_go()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.runtime.ask_to_stop(now=True)  # a test is over when it is over
            await self.runtime.__aexit__(None, None, None)
        finally:
            self._let_go()

    async def call(self, interface: str | None, function: str, *arguments: Any) -> Any:
        """Call an exported function on a fresh instance.

        Args:
            interface: the exported interface, ``None`` for a function that the world exports itself.
            function: its name in WIT.
            arguments: the values that `qwasr.values` describes.

        Raises:
            WitError: the function's result is a ``result``, and it is an error.
            GuestError: the call ended without a result.
        """
        return await self.runtime.call(interface, function, *arguments)

    async def run(self, *arguments: str) -> int:
        """Run a component that exports `wasi:cli/run` once, as a command, and return its exit code.

        Args:
            arguments: the command's; without any, those of `guest.wasi`, which has its input and what it prints.

        Raises:
            GuestError: it trapped, or used too much of something.
        """
        return await run_command(self.runtime.guest, Command(arguments=arguments or None))

    async def until(self, condition: Callable[[], object], *, timeout_s: float = 2.0) -> None:
        """Return as soon as something is so that the guest brings about by itself, such as a message published.

        Args:
            condition: asked again and again.
            timeout_s: how long, by the real clock, in seconds.

        Raises:
            TimeoutError: it did not become so.
        """
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - whatever the condition is about, no one tells of it
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _enter(self) -> None:
        environ = self._environ
        cache_dir = environ.get("QWASR_CACHE_DIR") or os.environ.get("QWASR_CACHE_DIR") or "auto"
        options = RuntimeOptions.from_env({**environ, "QWASR_CACHE_DIR": cache_dir})
        engine, component = self._engines.load(self._component, options.engine(os.environ))
        runtime = Runtime(
            component,
            backends=self._backends,
            environ=environ,
            plugins=self._plugins or self._engines.registry(environ),
            fakes=self.clock,
            options=options,
            engine=engine,
        )
        await runtime.__aenter__()
        self.runtime = runtime
        try:
            if runtime.has_servers:
                await runtime.start()
        except BaseException:
            await runtime.__aexit__(None, None, None)
            raise
        for plugin in runtime.registry.plugins:
            for fake in plugin.fakes:
                self._introduce(fake)

    def _introduce(self, fake: Fake) -> None:
        """Let a fake's shortcuts be the guest's, and the fake know its server."""
        backend = self.runtime.fakes.get(fake.interface)
        if backend is None:
            return
        for server in self.runtime.servers:
            if type(server) in fake.servers():
                backend.server = server
        self._shortcuts.update({name: getattr(backend, name) for name in fake.shortcuts})

    def _let_go(self) -> None:
        if not self._shared:
            self._engines.close()


def _identity(source: str | Path | bytes) -> object:
    """Return what tells one component from another, and from what the file held before."""
    if isinstance(source, bytes):
        return hashlib.blake2b(source).digest()
    path = Path(source).resolve()
    try:
        info = path.stat()
    except OSError:
        return path  # loading it says what is wrong
    return path, info.st_mtime_ns, info.st_size
