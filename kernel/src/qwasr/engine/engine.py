"""The engine: compiles, caches and links components, and shares one thread fairly among their guests."""

from __future__ import annotations

import logging
import platform
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wasmtime
from wasmtime import WasmtimeError
from wasmtime import component as wheel

from qwasr.engine._capi import lib, pointer
from qwasr.engine.cache import ArtefactCache
from qwasr.engine.component import Component, compile_error, parse_text
from qwasr.engine.linker import LinkedComponent, link
from qwasr.engine.pool import STACK_BYTES, TABLE_ELEMENTS, Layout, choose_layout, make_pool, unpooled
from qwasr.engine.sized import ValueLimits
from qwasr.engine.slots import Slots
from qwasr.engine.traps import split_trap
from qwasr.engine.turnstile import Turnstile
from qwasr.errors import ComponentError
from qwasr.source import Source, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwasr.hosting import HostInterface

__all__ = ["Engine", "EngineOptions"]

WASMTIME_VERSION: Final = version("wasmtime")
_log = logging.getLogger("qwasr.engine")
_SWITCH_INTERVAL_S: Final = 0.0005  # with Python's 5 ms a busy thread turns a call of 0.04 ms into one of 15 ms
_MAX_GUEST_STACK_BYTES: Final = 512 * 1024
_ARTEFACT_FORMAT: Final = "1"  # names every transformation that a component goes through before it is compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Limits and places of an engine.

    Attributes:
        concurrency: how many guests may be alive at once; further ones wait.
        queue: how many calls may wait for that.
        queue_timeout_s: how long each of them may wait, in seconds.
        cpu_s: how long one call may compute, in seconds.
        fuel: how much one call may execute, in units of the library, about one for an instruction; None counts nothing.
        memory_bytes: one linear memory of a guest, in bytes.
        memories: how many linear memories a guest may have.
        table_elements: elements of one table of a guest.
        tables: how many tables a guest may have.
        instances: how many core instances a guest may have.
        resources: how many host resources a guest may hold at once.
        values: the most that one value between guest and host may have.
        cache_dir: where compiled components are kept; None keeps none.
        epoch_ms: how long a busy guest runs before it yields, in milliseconds.
        pool: whether to try the pooling allocator.
    """

    concurrency: int = 256
    queue: int = 1024
    queue_timeout_s: float = 5.0
    cpu_s: float = 10.0
    fuel: int | None = None
    memory_bytes: int = 256 * 1024 * 1024
    memories: int = 16
    table_elements: int = TABLE_ELEMENTS
    tables: int = 100
    instances: int = 1_000
    resources: int = 10_000
    values: ValueLimits = field(default_factory=ValueLimits)
    cache_dir: Path | None = None
    epoch_ms: int = 10
    pool: bool = True


class Engine:
    """Compiles components and runs their guests; one for a process is enough.

    Its ticker thread advances the epoch, which makes busy guests yield. It shortens the interpreter's switch interval
    to 0.5 ms for the whole process: guests call back into Python, and must not wait for a busy thread.

    Args:
        options: limits and places.
    """

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()
        o = self.options
        self.slots = Slots(o.concurrency, o.queue, o.queue_timeout_s)
        self.store_limits = (o.memory_bytes, o.table_elements, o.instances, o.tables, o.memories)  # the library's order
        self.turnstile = Turnstile(self.options.epoch_ms / 1000)
        self._cache = ArtefactCache(self.options.cache_dir) if self.options.cache_dir is not None else None
        if o.pool:
            self.layout = choose_layout(o.concurrency, o.memory_bytes, o.table_elements)
        else:
            self.layout = unpooled(o.memory_bytes)
        self._natives: dict[Layout, wasmtime.Engine] = {}
        self._lock = threading.Lock()  # `load` runs in threads
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL_S))
        self._stopped = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="qwasr-epoch", daemon=True)
        self._ticker.start()

    def close(self) -> None:
        """Stop the ticker; call it when no guest runs any more."""
        self._stopped.set()
        self._ticker.join()

    def _tick(self) -> None:
        while not self._stopped.wait(self.options.epoch_ms / 1000):
            for native in list(self._natives.values()):
                lib.wasmtime_engine_increment_epoch(pointer(native))

    def _native(self, layout: Layout) -> wasmtime.Engine:
        with self._lock:
            native = self._natives.get(layout)
            if native is None:
                native = self._natives[layout] = wasmtime.Engine(self._config(layout))
            return native

    def _config(self, layout: Layout) -> wasmtime.Config:
        config = wasmtime.Config()
        config.epoch_interruption = True
        if self.options.fuel is not None:
            config.consume_fuel = True
        config.max_wasm_stack = _MAX_GUEST_STACK_BYTES
        config.memory_reservation = layout.reservation_bytes
        config.memory_guard_size = layout.guard_bytes
        config.memory_may_move = not layout.pooled
        raw = pointer(config)
        lib.wasmtime_config_async_stack_size_set(raw, STACK_BYTES)
        # With concurrency support, which only WASI 0.3 needs, wasmtime 50.0 traps in every host call that borrows two
        # resources ("BUG: deferred host scope has no call context"): poll with two pollables, splice, and others.
        lib.wasmtime_config_wasm_component_model_async_set(raw, False)
        lib.wasmtime_config_concurrency_support_set(raw, False)
        if layout.pooled:
            make_pool(raw, layout)
        return config

    # ------------------------------------------------------------------ loading

    def load(
        self, source: str | Path | bytes | Source, *, name: str | None = None, allow_precompiled: bool = False
    ) -> Component:
        """Compile a component, or take it from the cache. Blocks: seconds for a large one, so call it in a thread.

        Args:
            source: a path to a component (``.wasm``), component text (``.wat``) or a precompiled file; or its bytes;
                or either of them as a `Source`, which knows its name.
            name: what messages call it; the file's stem without.
            allow_precompiled: accept a precompiled file. It is native code and is not checked: trust its author.

        Raises:
            ComponentError: it cannot be read, or is no component that this engine can run; the message says what it is.
        """
        started = time.perf_counter()
        if not isinstance(source, Source):
            source = Source.of(source, name)
        if source.kind == "precompiled":
            component = self._load_precompiled(source, allowed=allow_precompiled)
        else:
            text = source.kind == "text"
            binary = Source.of(parse_text(source.content(), source.name), source.name) if text else source
            component = self._load_component(binary)
        component.compile_s = time.perf_counter() - started
        return component

    def _load_precompiled(self, source: Source, *, allowed: bool) -> Component:
        name, data = source.name, source.content()
        if not allowed:
            msg = (
                f"{name} is a precompiled component, that is native code; "
                "load it with --allow-precompiled if you trust who made it"
            )
            raise ComponentError(msg)
        layouts = dict.fromkeys(
            (self.layout, unpooled(self.options.memory_bytes))
        )  # the other one: too big for the pool
        reason = ""
        for layout in layouts:
            native_engine = self._native(layout)
            try:
                native = wheel.Component.deserialize(native_engine, data)
            except WasmtimeError as error:
                reason = reason or str(error).strip().splitlines()[-1].strip()
            else:
                return Component(native, native_engine, name, size_bytes=len(data), from_cache=False)
        msg = (
            f"{name} was precompiled for another version, machine or configuration, or is damaged "
            f"({reason}); compile it again with `qwasr compile`, here with wasmtime {WASMTIME_VERSION}"
        )
        raise ComponentError(msg)

    def _load_component(self, source: Source) -> Component:
        name = source.name
        try:
            return self._compile(source, self.layout)
        except WasmtimeError as error:
            if not self.layout.pooled or "pool" not in str(error):
                raise compile_error(error, source.content(), name) from None
            _log.warning("%s does not fit the pool (%s); it runs without one", name, split_trap(str(error))[0])
        try:
            return self._compile(source, unpooled(self.options.memory_bytes))
        except WasmtimeError as error:
            raise compile_error(error, source.content(), name) from None

    def _compile(self, source: Source, layout: Layout) -> Component:
        name, native_engine, settings = source.name, self._native(layout), self._settings(layout)
        cache = self._cache
        if cache is not None and cache.find(path := cache.path(source.digest, settings)):
            try:
                native = wheel.Component.deserialize_file(native_engine, str(path))
            except WasmtimeError as error:
                _log.warning("compiling %s again: its cached artefact does not load (%s)", name, error)
            else:
                return Component(native, native_engine, name, size_bytes=source.size_bytes, from_cache=True)
        binary = source.content()
        native = wheel.Component(native_engine, binary)
        if cache is not None:  # under the digest of what was compiled: the file may have been replaced
            cache.put(cache.path(digest_of(binary), settings), native.serialize())
        return Component(native, native_engine, name, size_bytes=len(binary), from_cache=False)

    def _settings(self, layout: Layout) -> str:
        return (
            f"format={_ARTEFACT_FORMAT} wasmtime={WASMTIME_VERSION} machine={platform.machine()} "
            f"system={sys.platform} {layout.key} stack={_MAX_GUEST_STACK_BYTES} epochs"
            f"{'' if self.options.fuel is None else ' fuel'}"
        )

    # ------------------------------------------------------------------ linking

    def link(
        self,
        component: Component,
        hosts: Sequence[HostInterface],
        *,
        trap_unknown_imports: bool = False,
        providers: Callable[[str], str | None] = lambda _name: None,
    ) -> LinkedComponent:
        """Provide a component's imports.

        Args:
            component: what `load` returned.
            hosts: objects whose classes say which WIT interface they serve.
            trap_unknown_imports: link imports that nobody provides as functions that trap.
            providers: for a missing import, who would provide it, as a sentence for the error; None if nobody is known.

        Raises:
            LinkError: imports are missing (all are listed), or a class lacks a function or takes other parameters.
        """
        return link(self, component, hosts, trap_unknown_imports=trap_unknown_imports, providers=providers)
