"""Options: frozen dataclasses whose fields name the environment variables they are read from.

A complete example::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ShelfOptions(ConnectOptions):
        url: str = env("SHELF_URL", default="shelf://localhost", secret=True, address=True, help="where Shelf listens")
        timeout_s: float = env("SHELF_TIMEOUT_S", default=5.0, minimum=0.1, help="how long one call may take, seconds")

    options = ShelfOptions.from_env(os.environ)

Types: `str`, `int`, `float`, `bool`, `pathlib.Path`, `tuple[str, ...]` (comma separated), `Literal["a", "b"]`, and any
of them `| None`; and `dict[str, str]` for a family: ``SHELF_URL__<NAME>`` is every variable that begins so and has
capitals, digits and underscores in the place of ``<NAME>``, and that is its key. A secret is never
shown and may come from a file: `SHELF_URL_FILE=/run/secrets/shelf`. An empty value counts as not set, except for text
and lists, where it is the empty text or list. A wrong value is an `OptionError`.
"""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from qwasr._variables import FAMILY, MASK, Variable, complaint, mask_url, read_env_file, read_variable
from qwasr.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MASK", "ConnectOptions", "Variable", "env", "mask_url", "read_env_file"]

_METADATA_KEY: Final = "qwasr"
# Annotations are often imported for type checkers alone; these names are resolved even then.
_COMMON_NAMES: Final = {"Path": Path, "Literal": Literal}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spec:
    """What `env` says about its field."""

    name: str
    help: str
    secret: bool
    address: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...] | None


def env(
    name: str,
    *,
    default: Any = dataclasses.MISSING,
    help: str,  # noqa: A002 - the word that click and argparse use too
    secret: bool = False,
    address: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] | None = None,
) -> Any:
    """Declare a field of a `ConnectOptions` class that is read from an environment variable.

    Args:
        name: the variable's name.
        default: its value when the variable is not set; without a default the variable is required.
        help: one line, in lower case, with the unit.
        secret: never shown in a repr, log or error; `<name>_FILE` may name a file that holds the value.
        address: filled by the URL when a backend is chosen by URL; one field of a class at most.
        minimum: the smallest number allowed.
        maximum: the largest number allowed.
        choices: the texts allowed.
    """
    spec = _Spec(
        name=name,
        help=help,
        secret=secret,
        address=address,
        minimum=minimum,
        maximum=maximum,
        choices=None if choices is None else tuple(choices),
    )
    if isinstance(default, dict):
        # Options are looked up by their hash; what cannot have one is compared and not hashed.
        return dataclasses.field(default_factory=default.copy, hash=False, metadata={_METADATA_KEY: spec})
    return dataclasses.field(default=default, metadata={_METADATA_KEY: spec})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """Base of every options class; see the module's docstring for an example."""

    _known: ClassVar[tuple[Variable, ...]] = ()  # of this very class, worked out when first asked for

    def __init_subclass__(cls, **arguments: Any) -> None:
        # `slots=True` makes the class anew, so that a plain super() would mean the discarded one.
        super(ConnectOptions, cls).__init_subclass__(**arguments)
        # A dataclass keeps a __repr__ that its class defines itself; ours masks secrets.
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = ConnectOptions.__repr__  # type: ignore[method-assign]  # that is the point

    def __post_init__(self) -> None:
        for variable in self.variables():
            wrong = complaint(variable, getattr(self, variable.field))
            if wrong is not None:
                raise OptionError(wrong)

    def __repr__(self) -> str:
        secrets = {variable.field for variable in self.variables() if variable.secret}
        shown = (
            f"{field.name}={MASK if field.name in secrets else repr(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
        )
        return f"{type(self).__qualname__}({', '.join(shown)})"

    @classmethod
    def variables(cls) -> tuple[Variable, ...]:
        """Return the variables of this class in the order of its fields."""
        if "_known" not in cls.__dict__:
            cls._known = _variables(cls)
        return cls._known

    @classmethod
    def address_field(cls) -> str | None:
        """Return the name of the field that a backend's URL fills, if there is one."""
        return next((variable.field for variable in cls.variables() if variable.address), None)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read the options from environment variables.

        Args:
            environ: the environment; `os.environ` when not given.
            overrides: fields with a value of their own, for which no variable is read.

        Raises:
            OptionError: a variable's value does not fit, or a required one is not set. The message names the variable,
                the value unless it is secret, what is expected, and the class that reads it.
        """
        source = os.environ if environ is None else environ
        values = {
            variable.field: value
            for variable in cls.variables()
            if variable.field not in overrides and (value := read_variable(variable, source)) is not dataclasses.MISSING
        }
        return cls(**values, **overrides)


def _variables(cls: type[ConnectOptions]) -> tuple[Variable, ...]:
    hints = typing.get_type_hints(cls, localns=_COMMON_NAMES)
    found = []
    for field in dataclasses.fields(cls):
        spec: _Spec | None = field.metadata.get(_METADATA_KEY)
        if spec is None:
            continue
        where = f"{cls.__module__}.{cls.__qualname__}.{field.name}"
        kind, optional, choices = _kind(hints[field.name], where)
        if (kind == "dict") != spec.name.endswith(FAMILY):
            message = f"{where}: dict[str, str] is for a family of variables, whose name ends in {FAMILY}"
            raise TypeError(message)
        found.append(
            Variable(
                name=spec.name,
                help=spec.help,
                reader=f"{cls.__module__}.{cls.__qualname__}",
                field=field.name,
                kind=kind,
                optional=optional,
                default=None if kind == "dict" else field.default,
                secret=spec.secret,
                address=spec.address,
                minimum=spec.minimum,
                maximum=spec.maximum,
                choices=choices or spec.choices,
            )
        )
    return tuple(found)


def _kind(hint: Any, where: str) -> tuple[str, bool, tuple[str, ...] | None]:
    """Return a type's kind, whether it may be None, and its choices."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in arguments and len(arguments) == 2:
        inner = next(argument for argument in arguments if argument is not type(None))
        kind, _, choices = _kind(inner, where)
        return kind, True, choices
    if typing.get_origin(hint) is Literal and all(isinstance(choice, str) for choice in arguments):
        return "Literal", False, arguments
    if hint == tuple[str, ...]:
        return "tuple", False, None
    if hint == dict[str, str]:
        return "dict", False, None
    if hint in (str, int, float, bool, Path):
        return hint.__name__, False, None
    known = "str, int, float, bool, Path, tuple[str, ...], dict[str, str] or Literal"
    message = f"{where}: options cannot be of type {hint}; use {known}"
    raise TypeError(message)
