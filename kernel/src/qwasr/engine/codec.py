"""Between Python values and component values: one pair of functions for each WIT type, made at link time.

``lift(i)`` reads the value at word index *i* and returns its Python value; ``lower(i, value)`` writes it. Neither
looks at a type again. A lower that fails leaves nothing allocated and the slot as a plain ``false``; it raises
`Misfit`, which collects the place on its way out. The Python side of each type is listed in `qwasr.values`.

Here are values of a fixed size; those with a size of their own are in `qwasr.engine.sized`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qwasr.engine._capi import (
    address_of,
    doubles,
    floats,
    lib,
    read_bytes,
    s8s,
    s16s,
    s32s,
    signed_words,
    u8s,
    u16s,
    u32s,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Lift = Callable[[int], Any]
    Lower = Callable[[int, Any], None]

# The kinds of a component value (`wasmtime_component_valkind_t`).
BOOL, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, CHAR, STRING, LIST = range(14)
RECORD, TUPLE, VARIANT, ENUM, OPTION, RESULT, FLAGS, RESOURCE = range(14, 22)

_FLOAT32_MAX: Final = 3.4028234663852886e38
_MAX_SHOWN_NUMBER: Final = 1 << 80


class Misfit(Exception):
    """A Python value does not fit a WIT type.

    Attributes:
        place: where in the value, outermost first, for example ``[".keys", "[3]"]``.
    """

    def __init__(self, value: object, type_name: str, why: str = "") -> None:
        super().__init__(value, type_name)
        self.place: list[str] = []
        shown = f" {value}" if isinstance(value, int) and abs(value) < _MAX_SHOWN_NUMBER else ""
        self.what = f"{type(value).__name__}{shown} does not fit {type_name}" + (f" ({why})" if why else "")

    def inside(self, place: str) -> None:
        """Add the outer place on the way out."""
        self.place.insert(0, place)

    def __str__(self) -> str:
        where = "".join(self.place)
        return f"{where + ': ' if where else ''}{self.what}"


class Oversize(Exception):
    """A value from the guest is larger than it may be; who knows the function's name makes a `ValueTooLarge` of it."""

    def __init__(self, size: int, limit: int, type_name: str, unit: str = "elements") -> None:
        super().__init__(f"a {type_name} of {size} {unit}, more than {limit}")


class Source:
    """The text of a function that is written at link time, and the objects that it names.

    Args:
        names: the objects that the function always knows, by name.

    Attributes:
        indent: of the lines that follow, in steps.
    """

    def __init__(self, **names: Any) -> None:
        self._names = names
        self._text: list[str] = []
        self.indent = 0

    def bind(self, hint: str, value: Any) -> str:
        """Let the function know an object; return the name it has there."""
        if self._names.get(hint) is value:
            return hint
        name = hint if hint not in self._names else f"{hint}_{len(self._names)}"
        self._names[name] = value
        return name

    def line(self, text: str) -> None:
        """Add a line."""
        self._text.append(f"{'    ' * self.indent}{text}\n")

    def text(self, text: str) -> None:
        """Add whole lines that are indented already."""
        self._text.append(text)

    def define(self, name: str, file_name: str) -> Any:
        """Return the function of that name; tracebacks show the file's name."""
        exec(compile("".join(self._text), file_name, "exec"), self._names)  # noqa: S102 - no text of it is the guest's
        return self._names[name]


class Codec:
    """How one WIT type is lifted and lowered.

    Attributes:
        name: the type as WIT writes it, for messages.
        lift: reads the value at a word index.
        lower: writes a value at a word index, or raises `Misfit`.
    """

    __slots__ = ("lift", "lower", "name")

    def __init__(self, name: str, lift: Lift, lower: Lower) -> None:
        self.name = name
        self.lift = lift
        self.lower = lower

    def lift_source(self, source: Source, _name: str, offset: int) -> str:
        """Write what lifts the value *offset* words behind ``a``, if that takes lines; return the expression for it.

        Args:
            source: the function that needs the value.
            _name: a variable that the lines may use.
            offset: where the value begins.
        """
        return f"{source.bind('lift', self.lift)}(a + {offset})"

    def lower_source(self, source: Source) -> None:
        """Write what lowers ``value`` at word index ``r``."""
        source.line(f"{source.bind('lower', self.lower)}(r, value)")


class _IntegerCodec(Codec):
    """An integer: read where it lies."""

    __slots__ = ("_memory", "_per_word")

    def __init__(self, name: str, lift: Lift, lower: Lower, memory: Any, per_word: int) -> None:
        super().__init__(name, lift, lower)
        self._memory = memory
        self._per_word = per_word

    def lift_source(self, source: Source, _name: str, offset: int) -> str:
        """Read memory."""
        memory = source.bind("memory", self._memory)
        index = f"a + {offset + 1}"
        return f"{memory}[{index}]" if self._per_word == 1 else f"{memory}[({index}) * {self._per_word}]"


def _integer(name: str, kind: int, memory: Any, per_word: int) -> Codec:
    """Integers of any width: `memory` is the typed view, `per_word` how many of its items a word holds."""

    def lift(i: int) -> Any:
        return memory[(i + 1) * per_word]

    def lower(i: int, value: Any) -> None:
        try:
            memory[(i + 1) * per_word] = value
        except (OverflowError, TypeError, ValueError):
            raise Misfit(value, name) from None
        words[i] = kind

    return _IntegerCodec(name, lift, lower, memory, per_word)


def _lift_bool(i: int) -> bool:
    return u8s[(i + 1) << 3] != 0  # type: ignore[no-any-return]  # cffi has no types


def _lower_bool(i: int, value: Any) -> None:
    if value is not True and value is not False:
        raise Misfit(value, "bool")
    words[i + 1] = value
    words[i] = BOOL


def _lift_f32(i: int) -> Any:
    return floats[(i + 1) << 1]


def _lower_f32(i: int, value: Any) -> None:
    if not isinstance(value, (float, int)) or (abs(value) > _FLOAT32_MAX and not math.isinf(value)):
        raise Misfit(value, "f32")
    floats[(i + 1) << 1] = value
    words[i] = F32


def _lift_f64(i: int) -> Any:
    return doubles[i + 1]


def _lower_f64(i: int, value: Any) -> None:
    if not isinstance(value, (float, int)):
        raise Misfit(value, "f64")
    try:
        doubles[i + 1] = value
    except OverflowError:
        raise Misfit(value, "f64") from None
    words[i] = F64


def _lift_char(i: int) -> str:
    return chr(u32s[(i + 1) << 1])


def _lower_char(i: int, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
        raise Misfit(value, "char")  # a surrogate would abort the process inside the library
    words[i + 1] = ord(value)
    words[i] = CHAR


def lift_name(i: int) -> bytes:
    """Return the bytes of a name (size, address) at word index *i*."""
    return read_bytes(words[i + 1], words[i])


def lower_name(i: int, name: bytes) -> None:
    """Write an owned copy of a name (size, address) at word index *i*."""
    lib.wasm_byte_vec_new(address_of(i), len(name), name)


SCALARS: Final = {
    "Bool": Codec("bool", _lift_bool, _lower_bool),
    "S8": _integer("s8", S8, s8s, 8),
    "U8": _integer("u8", U8, u8s, 8),
    "S16": _integer("s16", S16, s16s, 4),
    "U16": _integer("u16", U16, u16s, 4),
    "S32": _integer("s32", S32, s32s, 2),
    "U32": _integer("u32", U32, u32s, 2),
    "S64": _integer("s64", S64, signed_words, 1),
    "U64": _integer("u64", U64, words, 1),
    "F32": Codec("f32", _lift_f32, _lower_f32),
    "F64": Codec("f64", _lift_f64, _lower_f64),
    "Char": Codec("char", _lift_char, _lower_char),
}
