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
        guest_memory_bytes: linear memory of one instance.
        concurrency: how many instances may be alive at once; further calls wait.
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
    guest_memory_bytes: int = env(
        "QWASR_GUEST_MEMORY_BYTES",
        default=256 * _MIB,
        minimum=64 * 1024,
        maximum=4096 * _MIB,
        help="linear memory of one guest instance, bytes",
    )
    concurrency: int = env(
        "QWASR_CONCURRENCY",
        default=256,
        minimum=1,
        maximum=100_000,
        help="how many guest instances may be alive at once; further calls wait",
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
        from qwasr.engine import EngineOptions

        return EngineOptions(
            concurrency=self.concurrency,
            memory_bytes=self.guest_memory_bytes,
            cache_dir=self.cache_path(environ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions(ConnectOptions):
    """What the command line reads besides; an embedding program says these things in arguments.

    Attributes:
        log_level: the lowest level that is written to standard error.
        env_file: a file of variables; what is set in the environment wins over it.
        plugins: the only plug-ins to load, by entry-point name; ``None`` loads all that are installed.
        allow_precompiled: whether a precompiled file is loaded. It is native code.
        trap_unknown_imports: whether imports that nothing provides trap when called, instead of being an error.
    """

    log_level: Literal["debug", "info", "warning", "error"] = env(
        "QWASR_LOG_LEVEL", default="info", help="lowest level of log lines on standard error"
    )
    env_file: Path | None = env(
        "QWASR_ENV_FILE", default=None, help="file of NAME=value lines; the environment wins over it"
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
