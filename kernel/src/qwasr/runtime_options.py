"""The options of the kernel itself: the limits of a runtime, and what the command line reads besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from qwasr.options import ConnectOptions, env

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwasr.engine import EngineOptions

__all__ = ["CommandOptions", "RuntimeOptions"]

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions(ConnectOptions):
    """Limits of one runtime.

    Attributes:
        guest_timeout_s: how long a guest may take for its answer, or for the head of one that streams, in seconds.
        backend_timeout_s: how long a host function may wait for its backend, in seconds.
        guest_cpu_s: how long one call may compute, in seconds; what it waits for does not count.
        guest_fuel: how much one call may execute, about one unit an instruction; None counts nothing.
        guest_memory_bytes: one linear memory of one instance.
        guest_memories: how many linear memories one instance may have.
        guest_table_elements: elements of one table of one instance.
        guest_tables: how many tables one instance may have.
        guest_instances: how many core instances one component instance may consist of.
        guest_resources: how many host resources one instance may hold at once.
        value_elements: numbers (bytes, too) in one list between guest and host, and for the guest in all lists inside
            one list. A guest cannot pass more than 2 796 202 in one call, whatever this says.
        value_items: items in one list of anything else.
        value_string_bytes: one string, as UTF-8.
        concurrency: how many instances may be alive at once; further calls wait.
        queue: how many calls may wait; one more is refused.
        queue_timeout_s: how long a call may wait, in seconds; then it is refused.
        reuse: how many further calls an instance serves after its first, one after another; 0 makes one for each call.
        cache_dir: folder of compiled components: a path, ``auto`` for the user's cache folder, ``off`` for none.
        shutdown_s: how long calls under way may go on after the order to stop, in seconds.
    """

    guest_timeout_s: float = env(
        "QWASR_GUEST_TIMEOUT_S",
        default=30.0,
        minimum=0.001,
        maximum=86_400,
        help="how long a guest may take for its answer, seconds",
    )
    backend_timeout_s: float = env(
        "QWASR_BACKEND_TIMEOUT_S",
        default=5.0,
        minimum=0.001,
        maximum=86_400,
        help="how long one call of a guest to a backend may take, seconds; then the service counts as unavailable",
    )
    guest_cpu_s: float = env(
        "QWASR_GUEST_CPU_S",
        default=10.0,
        minimum=0.001,
        maximum=86_400,
        help="how long one call of a guest may compute, seconds; waiting does not count",
    )
    guest_fuel: int | None = env(
        "QWASR_GUEST_FUEL",
        default=None,
        minimum=1,
        maximum=2**63 - 1,
        help="how much one call of a guest may execute, about one unit an instruction; not counted when not set",
    )
    guest_memory_bytes: int = env(
        "QWASR_GUEST_MEMORY_BYTES",
        default=256 * _MIB,
        minimum=64 * 1024,
        maximum=4096 * _MIB,
        help="one linear memory of a guest instance, bytes",
    )
    guest_memories: int = env(
        "QWASR_GUEST_MEMORIES", default=16, minimum=1, maximum=10_000, help="linear memories of one guest instance"
    )
    guest_table_elements: int = env(
        "QWASR_GUEST_TABLE_ELEMENTS",
        default=20_000,
        minimum=1,
        maximum=10_000_000,
        help="elements of one table of a guest instance",
    )
    guest_tables: int = env(
        "QWASR_GUEST_TABLES", default=100, minimum=1, maximum=10_000, help="tables of one guest instance"
    )
    guest_instances: int = env(
        "QWASR_GUEST_INSTANCES",
        default=1_000,
        minimum=1,
        maximum=10_000,
        help="core instances that one guest instance may consist of",
    )
    guest_resources: int = env(
        "QWASR_GUEST_RESOURCES",
        default=10_000,
        minimum=1,
        maximum=10_000_000,
        help="host resources that a guest may hold at once",
    )
    # What is less would not do for what the interfaces themselves pass: pieces of streams, lists of headers.
    value_elements: int = env(
        "QWASR_VALUE_ELEMENTS",
        default=2_796_202,
        minimum=64 * 1024,
        maximum=16 * _MIB,
        help="numbers or bytes in one list between guest and host",
    )
    value_items: int = env(
        "QWASR_VALUE_ITEMS",
        default=16 * 1024,
        minimum=1024,
        maximum=16 * _MIB,
        help="items in one list of anything else between guest and host",
    )
    value_string_bytes: int = env(
        "QWASR_VALUE_STRING_BYTES",
        default=8 * _MIB,
        minimum=64 * 1024,
        maximum=1024 * _MIB,
        help="one string between guest and host, bytes",
    )
    concurrency: int = env(
        "QWASR_CONCURRENCY",
        default=256,
        minimum=1,
        maximum=100_000,
        help="how many guest instances may be alive at once; further calls wait",
    )
    queue: int = env(
        "QWASR_QUEUE",
        default=1_024,
        minimum=0,
        maximum=1_000_000,
        help="how many calls may wait for an instance; one more is refused",
    )
    queue_timeout_s: float = env(
        "QWASR_QUEUE_TIMEOUT_S",
        default=5.0,
        minimum=0,
        maximum=86_400,
        help="how long a call may wait for an instance, seconds; then it is refused",
    )
    reuse: int = env(
        "QWASR_REUSE",
        default=0,
        minimum=0,
        maximum=1_000_000_000,
        help="further calls that an instance serves after its first; then calls share what the guest keeps in memory",
    )
    cache_dir: str = env(
        "QWASR_CACHE_DIR",
        default="auto",
        help="folder of compiled components: a path, 'auto' for the user's cache folder, 'off' for none",
    )
    shutdown_s: float = env(
        "QWASR_SHUTDOWN_S",
        default=30.0,
        minimum=0,
        maximum=86_400,
        help="how long running calls may go on after the order to stop, seconds",
    )

    def cache_path(self, environ: Mapping[str, str]) -> Path | None:
        """Return the cache folder, or ``None`` when there is none or the user has no home."""
        if self.cache_dir == "off":
            return None
        if self.cache_dir not in ("auto", ""):
            return Path(self.cache_dir)
        if base := environ.get("XDG_CACHE_HOME"):
            return Path(base) / "qwasr"
        home = environ.get("HOME")
        return Path(home) / ".cache" / "qwasr" if home else None

    def engine(self, environ: Mapping[str, str]) -> EngineOptions:
        """Return what the engine has to know of these options."""
        from qwasr.engine import EngineOptions, ValueLimits

        return EngineOptions(
            concurrency=self.concurrency,
            queue=self.queue,
            queue_timeout_s=self.queue_timeout_s,
            cpu_s=self.guest_cpu_s,
            fuel=self.guest_fuel,
            memory_bytes=self.guest_memory_bytes,
            memories=self.guest_memories,
            table_elements=self.guest_table_elements,
            tables=self.guest_tables,
            instances=self.guest_instances,
            resources=self.guest_resources,
            values=ValueLimits(
                elements=self.value_elements, items=self.value_items, string_bytes=self.value_string_bytes
            ),
            cache_dir=self.cache_path(environ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions(ConnectOptions):
    """What the command line reads besides; an embedding program says these things in arguments.

    Attributes:
        log_level: the lowest level that is written to standard error.
        log_format: what a line looks like.
        workers: how many processes serve the same addresses.
        admin_address: ``host:port`` or ``unix:/path`` of health and metrics; empty for none.
        env_file: a file of variables; what is set in the environment wins over it.
        config_file: a file of settings, the weakest; see `qwasr.settings_file`.
        plugins: the only plug-ins to load, by entry-point name; ``None`` loads all that are installed.
        allow_precompiled: whether a precompiled file is loaded. It is native code.
        trap_unknown_imports: whether imports that nothing provides trap when called, instead of being an error.
    """

    log_level: Literal["debug", "info", "warning", "error"] = env(
        "QWASR_LOG_LEVEL", default="info", help="lowest level of log lines on standard error"
    )
    log_format: Literal["text", "json"] = env(
        "LOG_FORMAT", default="text", help="form of log lines: text, or one JSON object a line"
    )
    workers: int = env(
        "QWASR_WORKERS", default=1, minimum=1, maximum=512, help="how many processes serve, each on one core"
    )
    admin_address: str = env(
        "ADMIN_ADDR",
        default="",
        help="host:port or unix:/path for /health/live, /health/ready and /metrics; none when empty",
    )
    env_file: Path | None = env(
        "QWASR_ENV_FILE", default=None, help="file of NAME=value lines; the environment wins over it"
    )
    config_file: str = env(
        "QWASR_CONFIG_FILE",
        default="auto",
        help="file of settings: a path, 'auto' for qwasr.toml beside the component, 'off' for none",
    )
    plugins: tuple[str, ...] | None = env(
        "QWASR_PLUGINS", default=None, help="the only plug-ins to load, comma separated; all when not set"
    )
    allow_precompiled: bool = env(
        "QWASR_ALLOW_PRECOMPILED", default=False, help="load precompiled files: they are native code, so trust them"
    )
    trap_unknown_imports: bool = env(
        "QWASR_TRAP_UNKNOWN_IMPORTS", default=False, help="imports that nothing provides trap when they are called"
    )
