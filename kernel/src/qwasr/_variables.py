"""Environment variables: what one is, how its text becomes a value, what an error about it says."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qwasr.errors import ConfigurationError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FAMILY", "MASK", "Variable", "complaint", "expanded", "mask_url", "read_env_file", "read_variable"]

MASK: Final = "***"
FAMILY: Final = "<NAME>"
_MEMBER: Final = re.compile(r"[A-Z0-9_]{1,128}")
_TEXT_KINDS: Final = ("str", "Literal")  # their value is the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable, as help texts and `qwasr env` show it.

    Attributes:
        name: the variable.
        field: the attribute of the options class; empty for variables that the kernel itself interprets.
        kind: ``str``, ``int``, ``float``, ``bool``, ``Path``, ``tuple``, ``Literal``, or ``dict`` for a family: all
            variables whose names fit one that ends in ``<NAME>``. Of a family of secrets none ends in ``_FILE``, for
            such a name is that of a secret's file.
        optional: whether ``None`` is a value.
        default: the value when unset; `dataclasses.MISSING` when the variable is required.
        reader: the class that reads it, with its module.
    """

    name: str
    help: str
    reader: str
    field: str = ""
    kind: str = "str"
    optional: bool = False
    default: Any = None
    secret: bool = False
    address: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is dataclasses.MISSING

    @property
    def empty_is_unset(self) -> bool:
        """Whether an empty value is none: only a text or a list can be empty."""
        return self.optional or self.kind not in ("str", "tuple") or self.required

    @property
    def prefix(self) -> str:
        """How the names of a family begin."""
        return self.name.removesuffix(FAMILY)

    def member(self, name: str) -> Variable | None:
        """Return the one variable of this family that has a name, or whose secret's file has it."""
        if self.secret:
            name = name.removesuffix("_FILE")
        if self.kind != "dict" or not name.startswith(self.prefix) or not _MEMBER.fullmatch(name, len(self.prefix)):
            return None
        return dataclasses.replace(self, name=name, kind="str", optional=True, default=None)

    def members(self, environ: Iterable[str]) -> list[Variable]:
        """Return the variables of this family that are set, by name."""
        found = {one.name: one for name in sorted(environ) if (one := self.member(name)) is not None}
        return list(found.values())

    @property
    def default_text(self) -> str:
        """The default as one would write it into the environment; masked where it may carry a credential."""
        if self.required:
            return "(required)"
        if self.default is None or self.default == () or self.kind == "dict":
            return ""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        if isinstance(self.default, tuple):
            return ",".join(map(str, self.default))
        return mask_url(str(self.default)) if self.secret else str(self.default)

    @property
    def expectation(self) -> str:
        """What a value has to be, in words: ``a whole number from 1 to 10``."""
        if self.choices is not None:
            return "one of " + ", ".join(self.choices)
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "Path": "a path",
            "tuple": "a comma separated list",
        }.get(self.kind, "text")
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {_number(self.minimum)} to {_number(self.maximum)}"
        if self.minimum is not None:
            return f"{words} of at least {_number(self.minimum)}"
        if self.maximum is not None:
            return f"{words} of at most {_number(self.maximum)}"
        return words


def expanded(variables: Iterable[Variable], environ: Iterable[str]) -> list[Variable]:
    """Return variables, and behind each family those of it that are set."""
    return [one for variable in variables for one in (variable, *variable.members(environ))]


def mask_url(text: str) -> str:
    """Return a URL without what may be a credential; other text comes back as it is.

    Whatever has user information, a query or a fragment is shown as its scheme alone: passwords contain any character,
    so cutting one out of a URL that is perhaps malformed is guesswork.
    """
    scheme, separator, rest = text.partition("://")
    return f"{scheme}://{MASK}" if separator and any(mark in rest for mark in "@?#") else text


def read_env_file(path: str | Path) -> dict[str, str]:
    """Read a file of ``NAME=value`` lines: comments, quotes and ``export`` as in any `.env` file, no substitution.

    Raises:
        ConfigurationError: the file cannot be read, or one of its lines is not an assignment. A line is named by its
            number, never quoted: it may hold a secret.
    """
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    try:
        with Path(path).open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error or (binding.key is not None and binding.value is None):
                    message = f"{path}, line {binding.original.line}: not an assignment; write NAME=value"
                    raise ConfigurationError(message)
                if binding.key is not None and binding.value is not None:
                    values[binding.key] = binding.value
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"cannot read the environment file {path}: {reason}"
        raise ConfigurationError(message) from error
    return values


def read_variable(variable: Variable, environ: Mapping[str, str]) -> Any:
    """Return the variable's value, or `dataclasses.MISSING` when its default counts.

    Raises:
        OptionError: the value does not fit, the secret's file cannot be read, or a required variable is not set.
    """
    if variable.kind == "dict":
        values = {one.name[len(variable.prefix) :]: read_variable(one, environ) for one in variable.members(environ)}
        return {name: value for name, value in values.items() if value is not dataclasses.MISSING}
    name, text = variable.name, environ.get(variable.name)
    file_name = f"{variable.name}_FILE"
    if variable.secret and environ.get(file_name):
        if text:
            message = f"both {name} and {file_name} are set; {variable.reader} reads one of them: unset the other"
            raise OptionError(message)
        name, text = file_name, _read_secret(variable, file_name, environ[file_name])
    if text is None or (text == "" and variable.empty_is_unset):
        if variable.required:
            message = f"{name} is not set: {variable.reader} needs it ({variable.help})"
            raise OptionError(message)
        return dataclasses.MISSING
    value = text if variable.kind in _TEXT_KINDS else _read_typed(variable, name, text)
    wrong = complaint(variable, value, name)
    if wrong is not None:
        raise OptionError(wrong)
    return value


def _read_typed(variable: Variable, name: str, text: str) -> Any:
    try:
        return _PARSERS[variable.kind](text)
    except ValueError:
        # Neither chained nor quoted: the exception's message carries the value, which may be a secret.
        raise OptionError(_message(variable, text, name)) from None


def _parse_float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError
    return value


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError
    return word in _TRUE


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(item for part in text.split(",") if (item := part.strip()))


_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": int,
    "float": _parse_float,
    "bool": _parse_bool,
    "tuple": _parse_list,
    "Path": Path,
}


def _read_secret(variable: Variable, file_name: str, path: str) -> str:
    try:
        # Editors and `echo` end a file with a newline that is not part of the secret.
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"{file_name}={path}: cannot be read ({reason}); {variable.reader} expects a file with the secret"
        raise OptionError(message) from None


def complaint(variable: Variable, value: Any, name: str | None = None) -> str | None:
    """Return what is wrong with a parsed value, or None."""
    if value is None:
        return None
    if variable.choices is not None and value not in variable.choices:
        return _message(variable, value, name)
    if isinstance(value, int | float) and (
        (variable.minimum is not None and not value >= variable.minimum)
        or (variable.maximum is not None and not value <= variable.maximum)
    ):
        return _message(variable, value, name)
    return None


def _message(variable: Variable, value: Any, name: str | None = None) -> str:
    said = f"{name or variable.name}" if variable.secret else f"{name or variable.name}={mask_url(str(value))}"
    said = f"the value of {said} (not shown)" if variable.secret else said
    return f"{said} does not fit: expected {variable.expectation} ({variable.help}); read by {variable.reader}"


def _number(value: float) -> str:
    return f"{value:g}" if value != int(value) else str(int(value))
