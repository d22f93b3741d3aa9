"""Variables and by what each was set: one mapping for every options class, wherever its values come from.

From strongest to weakest: a flag, the environment, `--env-file`, `qwasr.toml`, the default. An empty value is passed
over where empty means that a variable is not set, as that of a number does. Options are read from
`Settings` as from any environment; only what shows a value to a user asks it for more::

    settings = Settings([Layer("--workers", {"QWASR_WORKERS": "4"}), Layer(ENVIRONMENT, os.environ)])
    settings["QWASR_WORKERS"], settings.source("QWASR_WORKERS")      # "4", "--workers"

Copying them into a plain dictionary forgets the sources and keeps the values. A program that embeds the runtime and
wants `qwasr.toml` too says `Runtime(component, environ=load_settings(component))`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr._variables import read_env_file
from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ENVIRONMENT", "SETTINGS_FILE", "Layer", "Settings", "load_settings", "source"]

ENVIRONMENT: Final = "environment"
SETTINGS_FILE: Final = "qwasr.toml"


@dataclass(frozen=True, slots=True)
class Layer:
    """One place where variables are set.

    Attributes:
        source: the place as users know it: ``"environment"``, ``"prod.env"``.
        values: what is set there, by variable.
        sources: more exact places for single variables: ``"qwasr.toml [runtime] workers"``.
        passed_over: what is set there and does not count, since a stronger place has it in another form.
    """

    source: str
    values: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    passed_over: Mapping[str, str] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """Return where this layer sets a variable."""
        return self.sources.get(name, self.source)


class Settings(dict[str, str]):
    """The variables of all layers, each with the value of the strongest.

    Args:
        layers: the strongest first; they are not copied, and not to be changed afterwards.
    """

    __slots__ = ("layers",)

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        for layer in reversed(self.layers):
            self.update(layer.values)

    def source(self, name: str) -> str:
        """Return by what a variable is set; empty when nothing sets it."""
        return next((layer.where(name) for layer in self.layers if name in layer.values), "")

    def everywhere(self, name: str) -> list[tuple[str, str]]:
        """Return all that set a variable, each with its value; the first one counts."""
        return [(layer.where(name), layer.values[name]) for layer in self.layers if name in layer.values]

    def passed_over(self, name: str) -> list[tuple[str, str]]:
        """Return all that set a variable and cannot count, each with its value."""
        return [(layer.where(name), layer.passed_over[name]) for layer in self.layers if name in layer.passed_over]


def source(environ: Mapping[str, str], name: str) -> str:
    """Return by what a variable is set in any mapping; a plain one is the environment, and empty is the default."""
    if isinstance(environ, Settings):
        return environ.source(name)
    return ENVIRONMENT if name in environ else ""


def load_settings(
    component: str | Path | None, environ: Mapping[str, str] | None = None, *, flags: Layer | None = None
) -> Settings:
    """Return all variables for a component: those of flags, of the environment, and of both kinds of files.

    Args:
        component: what `qwasr.toml` may lie beside; without one it is looked for in the working folder.
        environ: the environment; that of the process when not given.
        flags: what wins over the environment.

    Raises:
        ConfigurationError: a file cannot be read, or says what nothing reads.
        PluginError: a plug-in that was asked for is missing.
    """
    layers = [flags] if flags is not None else []
    layers.append(Layer(ENVIRONMENT, dict(os.environ if environ is None else environ)))
    layers += _env_file(Settings(layers))
    path = _settings_file(None if component is None else Path(component), Settings(layers))
    if path is None:
        return _without_empty(layers, Settings(layers))
    from qwasr.registry import Registry
    from qwasr.settings_file import SettingsFile

    file = SettingsFile(path)
    early = Settings([*layers, file.early()])
    if not Settings(layers).get("QWASR_ENV_FILE"):  # the one file may name the other, and is still the weaker one
        layers += _env_file(Settings([file.early()]))
    layers.append(file.layer(Registry(environ=early), Settings(layers)))
    return _without_empty(layers, early)


def _without_empty(layers: Sequence[Layer], early: Mapping[str, str]) -> Settings:
    """Return the settings without empty values that mean nothing and would hide those of a weaker layer."""
    hiding = {
        name
        for number, layer in enumerate(layers)
        for name, text in layer.values.items()
        if not text and any(name in weaker.values for weaker in layers[number + 1 :])
    }
    if not hiding:
        return Settings(layers)
    from qwasr.environment import unset_when_empty
    from qwasr.registry import Registry

    unset = unset_when_empty(hiding, Registry(environ=early))
    return Settings(
        [
            replace(layer, values={name: text for name, text in layer.values.items() if text or name not in unset})
            for layer in layers
        ]
    )


def _env_file(settings: Settings) -> list[Layer]:
    path = settings.get("QWASR_ENV_FILE")
    return [Layer(path, read_env_file(path))] if path else []


def _settings_file(component: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = environ.get("QWASR_CONFIG_FILE") or "auto"
    if named != "auto":
        return None if named == "off" else Path(named)
    path = Path(SETTINGS_FILE) if component is None else component.parent / SETTINGS_FILE
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ConfigurationError(f"cannot look for settings in {path}: {reason}") from error
    # It is found, not named, and it says what guests may do: who could write it could open everything to them.
    if info.st_uid not in (0, os.geteuid()) or info.st_mode & stat.S_IWOTH:
        message = f"{path} could have been written by another user: make it yours and unwritable by others, or name it"
        raise ConfigurationError(f"{message} by --config-file (QWASR_CONFIG_FILE), which may also say 'off'")
    return path
