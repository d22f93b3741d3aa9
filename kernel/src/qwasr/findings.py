"""What a checkup finds: a thing that was tried, how it went, and what is the most likely cause where it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwasr._variables import MASK, expanded, mask_url, read_variable
from qwasr.backends import interface_variable
from qwasr.diagnosis import HINTS, diagnose
from qwasr.errors import BackendError, OptionError, QwasrError
from qwasr.settings import source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from qwasr.backends import Choice
    from qwasr.options import ConnectOptions, Variable

__all__ = ["Finding", "Setting", "chosen_by_url", "describe_options", "failed_connection", "failure", "wrong_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One variable as it counts.

    Attributes:
        name: the variable, or the one with its secret's file.
        value: what it is set to, or its default; masked.
        set_by: by what it is set; empty for the default.
        address: whether it says where the service is.
    """

    name: str
    value: str
    set_by: str
    address: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried.

    Attributes:
        subject: what was tried: ``"component"``, ``"keyvalue"``, ``"keyvalue store SESSIONS"``, ``"warning"``.
        says: how it is, in words.
        failed: what is in the way; empty when nothing is.
        cause: the most likely cause of that, in one word or two.
        hint: what to do about it.
        exit_code: what `qwasr run` would end with for that.
        imports: the component's imports that it is about.
        plugin: the distribution that serves them.
        backend: the backend's name.
        variables: the settings that it reads.
    """

    subject: str
    says: str = ""
    failed: str = ""
    cause: str = ""
    hint: str = ""
    exit_code: int = 0
    imports: tuple[str, ...] = ()
    plugin: str = ""
    backend: str = ""
    variables: tuple[Setting, ...] = ()


def describe_options(options: type[ConnectOptions], environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return the settings of an options class, each with its value and where that comes from."""
    return tuple(_describe(one, environ) for one in expanded(options.variables(), environ))


def _describe(variable: Variable, environ: Mapping[str, str]) -> Setting:
    name, file = variable.name, f"{variable.name}_FILE"
    if variable.secret and environ.get(file):
        return Setting(name=file, value=environ[file], set_by=source(environ, file), address=variable.address)
    if name not in environ or (not environ[name] and variable.empty_is_unset):
        return Setting(name=name, value=variable.default_text, set_by="", address=variable.address)
    value = MASK if variable.secret else mask_url(environ[name])
    return Setting(name=name, value=value, set_by=source(environ, name), address=variable.address)


def failure(subject: str, error: QwasrError, **facts: Any) -> Finding:
    """Return what an error says, with the exit code that it would be."""
    return Finding(subject=subject, failed=" ".join(str(error).split()), exit_code=error.exit_code, **facts)


def wrong_values(subject: str, options: type[ConnectOptions], environ: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each variable of an options class whose value does not fit."""
    found = []
    for variable in options.variables():
        try:
            read_variable(variable, environ)
        except OptionError as error:
            found.append(failure(subject, error, cause="value"))
    return found


def failed_connection(
    subject: str,
    choice: Choice,
    error: Exception,
    slips: Sequence[tuple[str, str]],
    environ: Mapping[str, str],
    waited_s: float,
    facts: Mapping[str, Any],
) -> Finding:
    """Return what is known about a connection that failed.

    Args:
        subject: what it was for.
        choice: the decision for its backend.
        error: what connecting raised.
        slips: variables that are set and read by nobody, with what may have been meant.
        environ: what is set.
        waited_s: how long the connection may have taken, in seconds.
        facts: the finding's other attributes.
    """
    cause = diagnose(error)
    hints = [f"{name} is set and nothing reads it: did you mean {right}?" for name, right in slips]
    if any(_decides(right, choice, environ) for _, right in slips):
        cause = "misspelt variable"
    else:
        hints.insert(0, HINTS[cause].format(address=_address(choice)))
    if isinstance(error, QwasrError):
        failed = str(error)
    elif isinstance(error, TimeoutError):
        failed = f"no answer within {waited_s:g} s"
    else:
        failed = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return Finding(
        subject=subject,
        failed=" ".join(failed.split()),
        cause=cause,
        hint="; ".join(hints),
        exit_code=error.exit_code if isinstance(error, QwasrError) else BackendError.exit_code,
        **facts,
    )


def _decides(name: str, choice: Choice, environ: Mapping[str, str]) -> bool:
    """Return whether a connection is likely to fail for want of a variable: it says where or who, and is not set."""
    variables = choice.backend.Options.variables() if choice.backend is not None else ()
    return not chosen_by_url(choice) and any(
        (one.address or one.secret)
        and (name in (one.name, f"{one.name}_FILE") or one.member(name) is not None)
        and not (environ.get(name) or environ.get(one.name) or environ.get(f"{one.name}_FILE"))
        for one in variables
    )


def chosen_by_url(choice: Choice) -> bool:
    """Return whether a URL chose the backend, and so says where its service is."""
    return "://" in choice.binding.why


def _address(choice: Choice) -> str:
    """Return the variable that says where a backend's service is."""
    binding = choice.binding
    chooser = interface_variable(binding.interface) + (f"__{binding.store}" if binding.store else "")
    if chosen_by_url(choice):
        return chooser
    variables = choice.backend.Options.variables() if choice.backend is not None else ()
    names = [variable.name for variable in variables if variable.address] or [one.name for one in variables[:1]]
    return names[0] if names else chooser
