"""`qwasr.toml`: variables in a file beside the component, in one table for each interface.

::

    [runtime]                            # the kernel's own
    workers = 4                          # QWASR_WORKERS

    [keyvalue]
    backend = "redis"                    # QWASR_KEYVALUE
    redis_url = "redis://cache:6379"     # REDIS_URL
    stores = ["sessions", "carts"]       # QWASR_KEYVALUE_STORES

    [keyvalue.store]
    sessions = "memory"                  # QWASR_KEYVALUE__SESSIONS

    [sql.databases]
    users = "users.db"                   # SQL_DATABASE__USERS, of the family SQL_DATABASE__<NAME>

A key is its variable in lower case, without `QWASR_` and without the table's own name. What may be written is what
`qwasr env` lists, so it depends on what is installed; a key that nothing reads is an error.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

from qwasr._known import BACKEND_DISTRIBUTIONS, WIT_DISTRIBUTIONS, did_you_mean, wit_base
from qwasr._variables import expanded, read_variable
from qwasr.backends import fold, interface_variable
from qwasr.environment import interface_variables
from qwasr.errors import ConfigurationError
from qwasr.runtime_options import CommandOptions, RuntimeOptions
from qwasr.settings import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qwasr.options import Variable
    from qwasr.registry import Registry

__all__ = ["SettingsFile", "settings_keys", "shown_keys"]

_MAX_BYTES: Final = 1024 * 1024
_RUNTIME: Final = "runtime"
_BACKEND: Final = "backend"
_STORE: Final = "store"
_EARLY: Final = {"plugins": "QWASR_PLUGINS", "env_file": "QWASR_ENV_FILE"}  # what decides where the others come from
# What says where the file is, and what is trusted as a program is: a folder that came from elsewhere must not say that.
_NOT_IN_FILE: Final = {"QWASR_CONFIG_FILE", "QWASR_ALLOW_PRECOMPILED"}


class SettingsFile:
    """A file of settings that has been read, before anyone knows what its keys mean.

    Args:
        path: the file.

    Raises:
        ConfigurationError: it cannot be read or is no TOML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables = _parse(path)
        for name, table in self._tables.items():
            if not isinstance(table, dict):
                raise ConfigurationError(f"{path}: {name!r} stands outside of a table; write [{_RUNTIME}] above it")

    def early(self) -> Layer:
        """Return the settings that are needed before plug-ins are loaded."""
        options = {variable.name: variable for variable in CommandOptions.variables()}
        table = self._tables.get(_RUNTIME, {})
        return self._layer(
            {
                name: (_RUNTIME, key, self._text(_RUNTIME, key, table[key], options[name]))
                for key, name in _EARLY.items()
                if key in table
            }
        )

    def layer(self, registry: Registry, stronger: Mapping[str, str]) -> Layer:
        """Return every setting, checked.

        Args:
            registry: what is installed.
            stronger: what wins. A secret that is set there, as a value or as a file, is not taken from here.

        Raises:
            ConfigurationError: a table or key means nothing, or a value does not fit.
        """
        known = settings_keys(registry)
        found: dict[str, tuple[str, str, str]] = {}
        for table, keys in self._tables.items():
            if table not in known:
                raise ConfigurationError(f"{self.path}: {_unknown_table(table, known)}")
            for key, value in keys.items():
                variable = known[table].get(key)
                if key == _STORE and isinstance(value, dict):
                    self._read_stores(registry, table, value, found)
                elif variable is not None and variable.kind == "dict":
                    self._read_family(table, key, value, variable, found)
                else:
                    self._read_key(table, key, value, known, found)
        passed_over: dict[str, tuple[str, str, str]] = {}
        variables = expanded([variable for keys in known.values() for variable in keys.values()], found)
        for variable in [one for one in variables if one.secret]:
            name, file = variable.name, f"{variable.name}_FILE"
            pair = {name, file}
            if stronger.get(file) or stronger.get(name) or (name in stronger and not variable.empty_is_unset):
                passed_over |= {one: found.pop(one) for one in pair & set(found)}
        return self._layer(found, passed_over)

    def _read_key(
        self,
        table: str,
        key: str,
        value: Any,
        known: Mapping[str, Mapping[str, Variable]],
        found: dict[str, tuple[str, str, str]],
    ) -> None:
        variable = known[table].get(key)
        name = "" if variable is None else variable.name
        if variable is None and key.endswith("_file"):
            variable = known[table].get(key.removesuffix("_file"))
            variable = variable if variable is not None and variable.secret else None
            name = "" if variable is None else f"{variable.name}_FILE"
        if variable is None:
            raise ConfigurationError(f"{self.path}: {_unknown_key(table, key, known)}")
        text = self._text(table, key, value, variable)
        if name == variable.name:
            try:
                read_variable(variable, {name: text})
            except ConfigurationError as error:
                raise ConfigurationError(f"{self._place(table, key)}: {error}") from None
        if name in found:
            other = self._place(*found[name][:2])
            raise ConfigurationError(f"{self._place(table, key)}: {name} is set by {other} too; write it once")
        found[name] = table, key, text

    def _read_stores(
        self, registry: Registry, table: str, stores: dict[str, Any], found: dict[str, tuple[str, str, str]]
    ) -> None:
        interface = registry.interfaces.get(table)
        if interface is None or not interface.stores:
            raise ConfigurationError(f"{self.path}: [{table}.{_STORE}] means nothing: {table} has no named stores")
        for store, value in stores.items():
            place = f"{table}.{_STORE}"
            name = f"{interface_variable(table)}__{fold(store)}"
            if not isinstance(value, str) or not value or "\0" in value or not store:
                raise ConfigurationError(f"{self._place(place, store)}: expected a backend's name or URL, in quotes")
            if name in found:
                message = f"{name} stands for {found[name][1]!r} too; rename one"
                raise ConfigurationError(f"{self._place(place, store)}: {message}")
            found[name] = place, store, value

    def _read_family(
        self, table: str, key: str, members: Any, family: Variable, found: dict[str, tuple[str, str, str]]
    ) -> None:
        place = f"{table}.{key}"
        if not isinstance(members, dict):
            raise ConfigurationError(f"{self._place(table, key)}: write [{place}] above, and name = … below it")
        for member, value in members.items():
            name = f"{family.prefix}{fold(member)}"
            variable = family.member(name)
            if variable is None:
                raise ConfigurationError(f"{self._place(place, member)}: {name} is no variable's name; rename it")
            text = self._text(place, member, value, variable)
            if name in found:
                message = f"{name} stands for {found[name][1]!r} too; rename one"
                raise ConfigurationError(f"{self._place(place, member)}: {message}")
            found[name] = place, member, text

    def _text(self, table: str, key: str, value: Any, variable: Variable) -> str:
        """Return a value as it would stand in the environment."""
        text = _as_text(value, listed=variable.kind == "tuple")
        if text is None or "\0" in text:
            # Not quoted: it may be a secret.
            message = f"the value does not fit: expected {variable.expectation}"
            raise ConfigurationError(f"{self._place(table, key)}: {message}")
        return text

    def _layer(
        self, found: Mapping[str, tuple[str, str, str]], passed_over: Mapping[str, tuple[str, str, str]] | None = None
    ) -> Layer:
        passed_over = passed_over or {}
        return Layer(
            str(self.path),
            {name: text for name, (_, _, text) in found.items()},
            {name: self._place(table, key) for name, (table, key, _) in (*found.items(), *passed_over.items())},
            {name: text for name, (_, _, text) in passed_over.items()},
        )

    def _place(self, table: str, key: str) -> str:
        return f"{self.path} [{table}] {key}"


def settings_keys(registry: Registry) -> dict[str, dict[str, Variable]]:
    """Return the variables that a file may set: by table, and there by key."""
    tables: dict[str, Iterable[Variable]] = {
        _RUNTIME: [*RuntimeOptions.variables(), *CommandOptions.variables()],
        **interface_variables(registry),
    }
    known: dict[str, dict[str, Variable]] = {}
    taken = set(_NOT_IN_FILE)
    for table, variables in tables.items():
        keys = known.setdefault(table, {})
        for variable in variables:
            if variable.name not in taken:
                short = variable.field if variable.kind == "dict" else _key(table, variable.name)
                keys[variable.name.lower() if short in keys else short] = variable
                taken.add(variable.name)  # of a service that serves several interfaces: in the first one's table
    return known


def shown_keys(registry: Registry) -> dict[str, str]:
    """Return where a file sets each variable, by its name: ``[runtime] workers``, ``[sql.databases] <name>``."""
    return {
        one.name: f"[{table}.{key}] <name>" if one.kind == "dict" else f"[{table}] {key}"
        for table, keys in settings_keys(registry).items()
        for key, one in keys.items()
    }


def _key(table: str, name: str) -> str:
    if name == interface_variable(table):
        return _BACKEND
    own = fold(table)
    prefixes = (f"QWASR_{own}_", f"{own}_", "QWASR_")
    prefix = next((prefix for prefix in prefixes if name.startswith(prefix) and name != prefix), "")
    return name.removeprefix(prefix).lower()


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigurationError(f"{path} is larger than {_MAX_BYTES} bytes")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings in {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the settings in {path}: it is not UTF-8 text") from None
    except RecursionError:
        raise ConfigurationError(f"cannot read the settings in {path}: values are nested too deeply") from None
    except ValueError as error:  # of the parser, and of integers with thousands of digits
        raise ConfigurationError(f"cannot read the settings in {path}: {error}") from None


def _as_text(value: Any, *, listed: bool) -> str | None:
    """Return the text of a variable with this value, or ``None`` when no variable can have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and value.bit_length() > 64:
        return None  # a limit of no variable, and too long a one cannot even be printed
    if isinstance(value, int | float):
        return str(value)
    if listed and isinstance(value, list) and all(isinstance(one, str) and "," not in one for one in value):
        return ",".join(value)
    return None


def _unknown_table(table: str, known: Mapping[str, object]) -> str:
    message = f"nothing reads the table [{table}].{did_you_mean(table, known)}"
    packages = {wit_base(name).partition(":")[2]: distribution for name, distribution in WIT_DISTRIBUTIONS.items()}
    if table in packages and packages[table].removeprefix("qwasr-") == table:
        return f"{message} To install what does: pip install {packages[table]}."
    return f"{message} There are: {', '.join(known)}."


def _unknown_key(table: str, key: str, known: Mapping[str, Mapping[str, Variable]]) -> str:
    message = f"nothing reads {key!r} in [{table}]."
    places = [(one.name.lower(), other, right) for other, keys in known.items() for right, one in keys.items()]
    for name, other, right in places:
        if name == key.lower():
            return f"{message} Write {right!r} in [{other}]."
    if near := did_you_mean(key, known[table]):
        return f"{message}{near}"
    for _, other, right in places:
        if right == key:
            return f"{message} Did you mean [{other}]?"
    service = key.partition("_")[0]
    if service in BACKEND_DISTRIBUTIONS:
        return f"{message} If it is for {service}: pip install {BACKEND_DISTRIBUTIONS[service]}."
    return message
