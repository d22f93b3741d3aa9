"""Proof, at import, that the library's values lie in memory as this package believes.

The C structs are private to a version of wasmtime. A wheel whose layout differs would corrupt memory in silence, so one
value of each shape goes through the library and back before anything is served.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from qwasr.engine._capi import ALWAYS_READY, VALUE_WORDS, address_of, ffi, lib, new_words, words
from qwasr.engine.codec import SCALARS
from qwasr.engine.composite import (
    ResultCodec,
    enum_codec,
    flags_codec,
    generic_list,
    option_codec,
    record_codec,
    tuple_codec,
    variant_codec,
)
from qwasr.engine.sized import SizedCodecs
from qwasr.values import Err, Ok, Some, Variant

__all__ = ["check_layout"]


def check_layout() -> None:
    """Clone one value of each shape through the library and compare.

    Raises:
        ImportError: a value comes back changed; this version of the wheel cannot be used.
    """
    clone = lib.wasmtime_component_val_clone
    owner, i = new_words(2 * VALUE_WORDS)
    copy = i + VALUE_WORDS
    for codec, value in _samples():
        codec.lower(i, value)
        clone(address_of(i), address_of(copy))
        back = codec.lift(copy)
        same = (
            all(getattr(back, f) == getattr(value, f) for f in ("a", "b"))
            if isinstance(value, _Pair)
            else back == value
        )
        lib.wasmtime_component_val_delete(address_of(i))
        lib.wasmtime_component_val_delete(address_of(copy))
        words[i] = words[copy] = 0
        if not same:
            msg = (
                f"wasmtime {version('wasmtime')} lays out {codec.name} in another way "
                "than this release of qwasr-kernel expects"
            )
            raise ImportError(msg)
    del owner
    if not ffi.cast("bool (*)(uintptr_t)", ALWAYS_READY)(1):
        msg = "the C library's labs(1) is not true on this machine"
        raise ImportError(msg)


class _Pair:
    a = 7
    b = "pair"


def _samples() -> list[tuple[Any, Any]]:
    sized = SizedCodecs()
    u32, string = SCALARS["U32"], sized.string
    option = option_codec(u32, nested=False)
    return [
        (SCALARS["Bool"], True),
        (SCALARS["S8"], -3),
        (SCALARS["U16"], 65_535),
        (SCALARS["S32"], -(2**31)),
        (SCALARS["U64"], 2**64 - 1),
        (SCALARS["F32"], 0.5),
        (SCALARS["F64"], -1e300),
        (SCALARS["Char"], "\U0001f980"),
        (string, "grüße"),
        (sized.byte_list, bytes(range(256))),
        (sized.number_lists["U32"], [1, 2**32 - 1]),
        (generic_list(string, sized), ["", "a", "bc"]),
        (tuple_codec([u32, string]), (1, "one")),
        (record_codec("pair", [("a", u32), ("b", string)]), _Pair()),
        (variant_codec("v", [("none", None), ("some-string", string)]), Variant("some-string", "x")),
        (variant_codec("v", [("none", None), ("some-string", string)]), Variant("none")),
        (enum_codec("e", ["one", "two"]), "two"),
        (flags_codec("f", ["one", "two", "three"]), frozenset({"one", "three"})),
        (option, None),
        (option_codec(option, nested=True), Some(5)),
        (ResultCodec(u32, string), Ok(1)),
        (ResultCodec(u32, string), Err("no")),
        (ResultCodec(None, None), Ok()),
    ]
