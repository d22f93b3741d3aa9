"""Codecs of values with a size of their own: strings and lists of numbers. Each size is looked at before it is copied.

Bytes cross at one place, `SizedCodecs.byte_list`: 32 bytes of memory for each byte of a ``list<u8>`` is how the C API
carries them, so both directions are one strided copy.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qwasr.engine._capi import VALUE_BYTES, VALUE_WORDS, address_of, lib, read_bytes, view, words
from qwasr.engine.codec import (
    F64,
    LIST,
    S8,
    S16,
    S32,
    S64,
    SCALARS,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Codec,
    Misfit,
    Oversize,
)

if TYPE_CHECKING:
    from collections.abc import Sized

__all__ = ["MAX_PASSED_ELEMENTS", "SizedCodecs", "ValueLimits"]

MAX_PASSED_ELEMENTS: Final = 2_796_202  # of all lists that a guest passes in one call: the C API's own, with no setter
_MAX_COPIED_BYTES: Final = 64 * 1024  # of a list<u8> whose values are copied whole, 32 bytes each, then picked
# Lists with a strided copy: the element's type, its kind, and its code in the standard `array` module.
_NUMBERS: Final = {
    "S8": (S8, "b"),
    "S16": (S16, "h"),
    "U16": (U16, "H"),
    "S32": (S32, "i"),
    "U32": (U32, "I"),
    "S64": (S64, "q"),
    "U64": (U64, "Q"),
    "F64": (F64, "d"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimits:
    """The most that one value may have, in either direction.

    Attributes:
        elements: of one list of numbers, and for the guest of all lists inside one list.
        items: of one list of anything else.
        string_bytes: of one string, as UTF-8.

    What the defaults cost is in docs/limits.md.
    """

    elements: int = MAX_PASSED_ELEMENTS
    items: int = 16 * 1024
    string_bytes: int = 8 * 1024 * 1024


class SizedCodecs:
    """The codecs of one component that know its limits.

    Attributes:
        limits: the most that one value may have.
        string: the codec of a string.
        byte_list: the codec of a ``list<u8>``.
        number_lists: those of the other lists of numbers, by the element's type.
        depth: how many lists are being lowered around this place.
        spent: how many elements they and the lists beside this place have; counts anew in each outermost list.
    """

    __slots__ = ("byte_list", "depth", "limits", "number_lists", "spent", "string")

    def __init__(self, limits: ValueLimits | None = None) -> None:
        self.limits = limits or ValueLimits()
        self.depth = 0
        self.spent = 0
        self.string = _string(self.limits.string_bytes)
        self.byte_list = _byte_list(self)
        self.number_lists = {name: _number_list(SCALARS[name], *how, self) for name, how in _NUMBERS.items()}

    def check(self, value: Sized, whole: object, type_name: str, limit: int) -> int:
        """Return the size of a list on its way to the guest, or raise `Misfit` when it is over a limit.

        Args:
            value: what has the size.
            whole: what was given, for the message.
            type_name: the same.
            limit: the most elements of this list.
        """
        size = len(value)
        if size > limit:
            raise Misfit(whole, type_name, f"{size} elements, more than {limit}")
        if self.depth:
            self.spent += size
            if self.spent > self.limits.elements:
                why = f"with what is beside it more than {self.limits.elements} elements"
                raise Misfit(whole, type_name, why)
        return size


def _string(max_bytes: int) -> Codec:
    def lift(i: int) -> str:
        size = words[i + 1]
        if size > max_bytes:
            raise Oversize(size, max_bytes, "string", "bytes")
        return read_bytes(words[i + 2], size).decode()

    def lower(i: int, value: Any) -> None:
        if isinstance(value, str) and len(value) > max_bytes:
            raise Misfit(value, "string", f"at least {len(value)} bytes, more than {max_bytes}")
        try:
            data = str.encode(value)
        except (TypeError, UnicodeEncodeError):
            raise Misfit(value, "string") from None  # invalid UTF-8 would abort the process inside the library
        if len(data) > max_bytes:
            raise Misfit(value, "string", f"{len(data)} bytes, more than {max_bytes}")
        lib.wasm_byte_vec_new(address_of(i + 1), len(data), data)
        words[i] = STRING

    return Codec("string", lift, lower)


def _byte_list(sizes: SizedCodecs) -> Codec:
    limit = sizes.limits.elements
    copied_whole = min(_MAX_COPIED_BYTES, limit)

    def lift(i: int) -> bytes:
        size = words[i + 1]
        if size == 0:
            return b""
        if size <= copied_whole:
            return read_bytes(words[i + 2], VALUE_BYTES * size)[8::VALUE_BYTES]  # four times as fast as what follows
        if size > limit:
            raise Oversize(size, limit, "list<u8>")
        return view(words[i + 2], VALUE_BYTES * size)[8::VALUE_BYTES].tobytes()

    def lower(i: int, value: Any) -> None:
        try:
            data = memoryview(value).cast("B")
        except TypeError:
            raise Misfit(value, "list<u8>") from None
        size = sizes.check(data, value, "list<u8>", limit)
        lib.wasmtime_component_vallist_new_uninit(address_of(i + 1), size)
        if size:
            target = view(words[i + 2], VALUE_BYTES * size)
            target[::VALUE_BYTES] = bytes((U8,)) * size
            target[8::VALUE_BYTES] = data
        words[i] = LIST

    return Codec("list<u8>", lift, lower)


def _number_list(element: Codec, kind: int, code: str, sizes: SizedCodecs) -> Codec:
    """A list of numbers, one strided copy."""
    name = f"list<{element.name}>"
    limit = sizes.limits.elements
    step = VALUE_BYTES // array(code).itemsize
    first = step // VALUE_WORDS

    def lift(i: int) -> list[Any]:
        size = words[i + 1]
        if size == 0:
            return []
        if size > limit:
            raise Oversize(size, limit, name)
        return view(words[i + 2], VALUE_BYTES * size).cast(code)[first::step].tolist()  # type: ignore[call-overload,no-any-return]  # the code is not a literal

    def lower(i: int, value: Any) -> None:
        if isinstance(value, (str, bytes)):
            raise Misfit(value, name)
        counted = hasattr(value, "__len__")
        if counted:
            sizes.check(value, value, name, limit)
        try:
            data = memoryview(array(code, value))
        except (OverflowError, TypeError, ValueError):
            raise Misfit(value, name) from None
        size = len(data) if counted else sizes.check(data, value, name, limit)
        lib.wasmtime_component_vallist_new_uninit(address_of(i + 1), size)
        if size:
            target = view(words[i + 2], VALUE_BYTES * size)
            target[::VALUE_BYTES] = bytes((kind,)) * size
            target.cast(code)[first::step] = data  # type: ignore[call-overload]  # the code is not a literal
        words[i] = LIST

    return Codec(name, lift, lower)
