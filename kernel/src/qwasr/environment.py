"""Every environment variable that this process may read, and complaints about those that nobody reads."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from qwasr._known import did_you_mean, wit_base
from qwasr._variables import expanded, read_variable
from qwasr.backends import fold, interface_variable
from qwasr.errors import OptionError
from qwasr.options import Variable
from qwasr.runtime_options import CommandOptions, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwasr.hooks import Interface
    from qwasr.options import ConnectOptions
    from qwasr.registry import Registry

__all__ = ["all_variables", "check_settings", "interface_variables", "misspelt", "unread_variables", "unset_when_empty"]


def all_variables(registry: Registry) -> list[Variable]:
    """Return the variables of the kernel, the command line, the interfaces, and all installed backends and servers."""
    found = [variable for name in sorted(registry.interfaces) for variable in _choosing(registry.interfaces[name])]
    readers: list[type[ConnectOptions]] = [
        RuntimeOptions,
        CommandOptions,
        *(backend.Options for plugin in registry.plugins for backend in plugin.backends),
        *(server.Options for server in registry.servers),
    ]
    # Two backends may share one options class, and two classes one variable; each reader is listed once.
    for options in dict.fromkeys(readers):
        found += options.variables()
    return found


def interface_variables(registry: Registry) -> dict[str, list[Variable]]:
    """Return the variables of each interface: what chooses its backends, and those of its backends and servers."""
    found: dict[str, list[Variable]] = {}
    for name, interface in sorted(registry.interfaces.items()):
        packages = {wit_base(wit).partition("/")[0] for wit in interface.wit}
        readers: list[type[ConnectOptions]] = [
            *(backend.Options for backend in registry.backends(name).values()),
            *(one.Options for one in registry.servers if one.export.partition("/")[0] in packages),
        ]
        declared = (variable for options in dict.fromkeys(readers) for variable in options.variables())
        found[name] = [*_choosing(interface), *declared]
    return found


def _choosing(interface: Interface) -> list[Variable]:
    """Return the variables that choose an interface's backends."""
    name = interface_variable(interface.name)
    choice = f"backend of {interface.name}, by name or URL"
    reader = "qwasr.backends.choose"
    found = [Variable(name=name, default=interface.default, optional=True, reader=reader, help=choice)]
    if interface.stores:
        found.append(
            Variable(
                name=f"{name}_STORES",
                kind="tuple",
                optional=True,
                reader="qwasr.backends.allowed_stores",
                help=f"the only named stores of {interface.name} that guests may open",
            )
        )
    return found


def unread_variables(variables: Iterable[Variable], environ: Mapping[str, str], registry: Registry) -> list[str]:
    """Return a sentence for each variable that looks meant for this process, but that nobody reads.

    One that begins with ``QWASR_`` always does; another one when it begins like a known variable and is spelt almost
    like it, since a container's environment is full of names such as ``REDIS_PORT`` that mean something else.

    Args:
        variables: what is read.
        environ: what is set.
        registry: the installed interfaces, whose stores have variables of their own.
    """
    variables = expanded(variables, environ)
    known = _names(variables)
    stores = _stores(registry)
    sentences = []
    for name in sorted(set(environ) - known):
        if name.startswith(stores):
            continue
        prefix = name.partition("_")[0]
        near = (one for one in sorted(known) if one.partition("_")[0] == prefix and _is_slip(name, one))
        slip = next(near, None) or _family_slip(name, variables)
        if slip:
            sentences.append(f"nothing reads the variable {name}. Did you mean {slip!r}?")
        elif name.startswith("QWASR_"):
            sentences.append(f"nothing reads the variable {name}.{did_you_mean(name, known)}")
    return sentences


def unset_when_empty(names: Iterable[str], registry: Registry) -> set[str]:
    """Return those of some variables for which an empty value means that they are not set.

    Lists are never among them: of those that may be left out, `QWASR_PLUGINS` for one, an empty one means none.
    """
    names = set(names)
    variables = [one for one in expanded(all_variables(registry), names) if one.kind not in ("tuple", "dict")]
    unset = {one.name for one in variables if one.empty_is_unset}
    files = {f"{one.name}_FILE" for one in variables if one.secret}
    return {name for name in names if name in unset or name in files or name.startswith(_stores(registry))}


def check_settings(settings: Mapping[str, str], environ: Mapping[str, str], registry: Registry) -> None:
    """Check variables that someone set for this very process, unlike the many in an environment that mean others.

    Args:
        settings: what was set.
        environ: everything that is set.
        registry: what is installed.

    Raises:
        OptionError: nobody reads one of them, or its value does not fit.
    """
    variables = expanded(all_variables(registry), settings)
    known = _names(variables)
    stores = _stores(registry)
    for name in settings:
        if name not in known and not (name.startswith(stores) and name not in stores):
            slip = _family_slip(name, variables)
            guess = f" Did you mean {slip!r}?" if slip else did_you_mean(name, known)
            message = f"nothing reads the variable {name}.{guess} `qwasr env` lists them all."
            raise OptionError(message)
    for variable in variables:
        if variable.name in settings or (variable.secret and f"{variable.name}_FILE" in settings):
            read_variable(variable, environ)


def _names(variables: Iterable[Variable]) -> set[str]:
    """Return the names that are read: those of the variables, and of the files of secrets; of a family its pattern."""
    return {
        name
        for one in variables
        for name in (one.name, *([f"{one.name}_FILE"] if one.secret and one.kind != "dict" else []))
    }


def _family_slip(name: str, variables: Iterable[Variable]) -> str:
    """Return the variable of a family that may have been meant: a slip in how it begins, or small letters at its end.

    ``SQL_DATABASE_USERS`` and ``SQL_DATABASE__users`` are both meant for ``SQL_DATABASE__USERS``.
    """
    for family in variables:
        prefix = family.prefix
        if family.kind != "dict" or name.partition("_")[0] != prefix.partition("_")[0]:
            continue
        for length in (len(prefix), len(prefix) - 1, len(prefix) + 1):
            start, meant = name[:length], f"{prefix}{fold(name[length:])}"
            if start.endswith("_") and _is_slip(start, prefix) and family.member(meant) is not None:
                return meant
    return ""


def _stores(registry: Registry) -> tuple[str, ...]:
    """Return how the variables of single stores begin."""
    return tuple(f"{interface_variable(name)}__" for name, one in registry.interfaces.items() if one.stores)


def misspelt(
    wanted: Iterable[Variable], variables: Iterable[Variable], environ: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what is set and read by nobody, but spelt almost like something wanted, each with that.

    Args:
        wanted: the variables that may have been meant; their first words may be misspelt too.
        variables: everything that is read.
        environ: what is set.
    """
    wanted = list(wanted)
    unread = sorted(set(environ) - _names(expanded(variables, environ)))
    slips = [(name, right) for right in sorted(_names(wanted)) for name in unread if _is_slip(name, right)]
    return slips + [(name, right) for name in unread if (right := _family_slip(name, wanted))]


def _is_slip(name: str, candidate: str) -> bool:
    """Whether two names differ by a slip of the fingers: a letter more or less, or two exchanged."""
    start = _common_letters(name, candidate)
    end = _common_letters(name[start:][::-1], candidate[start:][::-1])
    left, right = name[start : len(name) - end], candidate[start : len(candidate) - end]
    return max(len(left), len(right)) <= 1 or (len(left) == 2 and left == right[::-1])


def _common_letters(left: str, right: str) -> int:
    """Return how many letters two words have in common from their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
