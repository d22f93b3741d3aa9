"""Codecs of types that contain other types; see `qwasr.engine.codec` for their contract."""

from __future__ import annotations

import keyword
from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Any

from qwasr.engine._capi import VALUE_WORDS, address_of, lib, view, words
from qwasr.engine.codec import (
    ENUM,
    FLAGS,
    LIST,
    OPTION,
    RECORD,
    RESULT,
    TUPLE,
    VARIANT,
    Codec,
    Misfit,
    Oversize,
    Source,
    lift_name,
    lower_name,
)
from qwasr.values import Err, Ok, Some, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qwasr.engine.sized import SizedCodecs

_ENTRY_WORDS = 6  # of one record field: its name takes two words, its value four
_NAME_WORDS = 2


def snake_case(name: str) -> str:
    """Return the Python name of a WIT name: ``content-type`` is ``content_type``, ``from`` is ``from_``."""
    python = name.replace("-", "_")
    return python + "_" if keyword.iskeyword(python) else python


def _camel_case(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _lower_all(
    i: int,
    first: int,
    step: int,
    steps: Iterable[tuple[Callable[[int, Any], None], Any, str]],
    count: int,
    delete: Callable[[int], None],
) -> None:
    """Lower into a fresh vector's slots; when one fails make the rest harmless, free all, and raise with its place.

    Args:
        i: word index of the value that owns the vector.
        first: word index of the first slot.
        step: words from slot to slot; a step longer than a value is a record's, whose names stand before the value.
        steps: for each slot its lower, its value and its place for messages.
        count: how many slots there are.
        delete: frees the vector.
    """
    at = first
    place = ""
    try:
        for lower, value, place in steps:  # noqa: B007 - `place` is read in the handler
            lower(at, value)
            at += step
    except BaseException as error:
        view((first + 1) << 3, count * step * 8)[(at - first) * 8 :] = bytes((first + count * step - at) * 8)
        delete(address_of(i + 1))
        words[i] = 0
        if isinstance(error, Misfit):
            error.inside(place)
        raise


def generic_list(element: Codec, sizes: SizedCodecs) -> Codec:
    """A list of anything that is not a number."""
    name = f"list<{element.name}>"
    limit = sizes.limits.items
    lift_one, lower_one = element.lift, element.lower

    def lift(i: int) -> list[Any]:
        size = words[i + 1]
        if size > limit:
            raise Oversize(size, limit, name)
        first = (words[i + 2] >> 3) - 1
        return [lift_one(at) for at in range(first, first + size * VALUE_WORDS, VALUE_WORDS)]

    def lower(i: int, value: Any) -> None:
        if not isinstance(value, (list, tuple)):
            raise Misfit(value, name)
        size = sizes.check(value, value, name, limit)
        lib.wasmtime_component_vallist_new_uninit(address_of(i + 1), size)
        if size:
            sizes.depth += 1
            if sizes.depth == 1:
                sizes.spent = size
            try:
                _lower_all(
                    i,
                    (words[i + 2] >> 3) - 1,
                    VALUE_WORDS,
                    ((lower_one, item, f"[{n}]") for n, item in enumerate(value)),
                    size,
                    lib.wasmtime_component_vallist_delete,
                )
            finally:
                sizes.depth -= 1
        words[i] = LIST

    return Codec(name, lift, lower)


def tuple_codec(elements: Sequence[Codec]) -> Codec:
    """A tuple; Python gives and takes a tuple (or list) of the same length."""
    name = f"tuple<{', '.join(e.name for e in elements)}>"
    size = len(elements)
    lifts = [(n * VALUE_WORDS, e.lift) for n, e in enumerate(elements)]
    lowers = [(n, e.lower) for n, e in enumerate(elements)]

    def lift(i: int) -> tuple[Any, ...]:
        first = (words[i + 2] >> 3) - 1
        return tuple([lift_one(first + offset) for offset, lift_one in lifts])

    def lower(i: int, value: Any) -> None:
        if not isinstance(value, (tuple, list)) or len(value) != size:
            raise Misfit(value, name)
        lib.wasmtime_component_valtuple_new_uninit(address_of(i + 1), size)
        _lower_all(
            i,
            (words[i + 2] >> 3) - 1,
            VALUE_WORDS,
            ((lower_one, value[n], f"[{n}]") for n, lower_one in lowers),
            size,
            lib.wasmtime_component_valtuple_delete,
        )
        words[i] = TUPLE

    return Codec(name, lift, lower)


def record_codec(name: str, fields: Sequence[tuple[str, Codec]]) -> Codec:
    """A record: lifted as a slotted dataclass made here, lowered from any object that has the attributes."""
    attributes = [snake_case(field) for field, _ in fields]
    make = make_dataclass(_camel_case(name), attributes, frozen=True, slots=True)
    size = len(fields)
    lifts = [(n * _ENTRY_WORDS + _NAME_WORDS, codec.lift) for n, (_, codec) in enumerate(fields)]

    def lower_entry(wit_name: bytes, lower_value: Callable[[int, Any], None]) -> Callable[[int, Any], None]:
        def lower(at: int, value: Any) -> None:
            lower_value(at + _NAME_WORDS, value)
            lower_name(at, wit_name)

        return lower

    lowers = [(lower_entry(field.encode(), codec.lower), snake_case(field)) for field, codec in fields]

    def lift(i: int) -> Any:
        first = (words[i + 2] >> 3) - 1
        return make(*[lift_one(first + offset) for offset, lift_one in lifts])

    def lower(i: int, value: Any) -> None:
        try:
            values = [getattr(value, attribute) for attribute in attributes]
        except AttributeError as error:
            raise Misfit(value, f"record {name}", f"no attribute {error.name!r}") from None
        lib.wasmtime_component_valrecord_new_uninit(address_of(i + 1), size)
        _lower_all(
            i,
            (words[i + 2] >> 3) - 1,
            _ENTRY_WORDS,
            ((lower_one, item, f".{place}") for (lower_one, place), item in zip(lowers, values, strict=True)),
            size,
            lib.wasmtime_component_valrecord_delete,
        )
        words[i] = RECORD

    return Codec(f"record {name}", lift, lower)


def _box(i: int) -> int:
    """Move the value at word index *i* into a box of its own; return the box's address."""
    return lib.wasmtime_component_val_new(address_of(i))  # type: ignore[no-any-return]  # cffi has no types


def variant_codec(name: str, cases: Sequence[tuple[str, Codec | None]]) -> Codec:
    """A variant: `Variant` both ways."""
    type_name = f"variant {name}"
    by_bytes = {case.encode(): (case, codec.lift) for case, codec in cases if codec is not None}
    by_name = {case: (case.encode(), None if codec is None else codec.lower) for case, codec in cases}
    constants = {case.encode(): Variant(case) for case, codec in cases if codec is None}

    def lift(i: int) -> Variant:
        raw = lift_name(i + 1)
        constant = constants.get(raw)
        if constant is not None:
            return constant
        case, lift_payload = by_bytes[raw]
        return Variant(case, lift_payload((words[i + 3] >> 3) - 1))

    def lower(i: int, value: Any) -> None:
        found = by_name.get(value.case) if isinstance(value, Variant) else None
        if found is None:
            raise Misfit(value, type_name, f"the cases are {', '.join(by_name)}")
        raw, lower_payload = found
        box = 0
        if lower_payload is not None:
            try:
                lower_payload(i, value.value)
            except Misfit as misfit:
                misfit.inside(f".{value.case}")
                raise
            box = _box(i)
        elif value.value is not None:
            raise Misfit(value.value, type_name, f"the case {value.case} has no payload")
        lower_name(i + 1, raw)
        words[i + 3] = box
        words[i] = VARIANT

    return Codec(type_name, lift, lower)


def enum_codec(name: str, cases: Sequence[str]) -> Codec:
    """An enum: the case's WIT name as a string."""
    type_name = f"enum {name}"
    by_bytes = {case.encode(): case for case in cases}
    by_name = {case: case.encode() for case in cases}

    def lift(i: int) -> str:
        return by_bytes[lift_name(i + 1)]

    def lower(i: int, value: Any) -> None:
        raw = by_name.get(value) if isinstance(value, str) else None
        if raw is None:
            raise Misfit(value, type_name, f"the cases are {', '.join(cases)}")
        lower_name(i + 1, raw)
        words[i] = ENUM

    return Codec(type_name, lift, lower)


def flags_codec(name: str, names: Sequence[str]) -> Codec:
    """Flags: a frozenset of WIT names; any iterable of them is accepted."""
    type_name = f"flags {name}"
    by_bytes = {flag.encode(): flag for flag in names}
    known = {flag: flag.encode() for flag in names}

    def lift(i: int) -> frozenset[str]:
        first = (words[i + 2] >> 3) - 1
        return frozenset([by_bytes[lift_name(first + n * _NAME_WORDS)] for n in range(words[i + 1])])

    def lower(i: int, value: Any) -> None:
        if isinstance(value, str):
            raise Misfit(value, type_name)
        try:
            raws = [known[flag] for flag in dict.fromkeys(value)]
        except (KeyError, TypeError):
            raise Misfit(value, type_name, f"the flags are {', '.join(names)}") from None
        lib.wasmtime_component_valflags_new_uninit(address_of(i + 1), len(raws))
        first = (words[i + 2] >> 3) - 1
        for n, raw in enumerate(raws):
            lower_name(first + n * _NAME_WORDS, raw)
        words[i] = FLAGS

    return Codec(type_name, lift, lower)


def option_codec(payload: Codec, *, nested: bool) -> Codec:
    """An option: ``None`` or the value; where the value is an option itself (`nested`), `Some` or ``None``."""
    lift_payload, lower_payload = payload.lift, payload.lower
    name = f"option<{payload.name}>"

    def lift(i: int) -> Any:
        box = words[i + 1]
        return lift_payload((box >> 3) - 1) if box else None

    def lift_nested(i: int) -> Any:
        box = words[i + 1]
        return Some(lift_payload((box >> 3) - 1)) if box else None

    def lower(i: int, value: Any) -> None:
        box = 0
        if value is not None:
            lower_payload(i, value)
            box = _box(i)
        words[i + 1] = box
        words[i] = OPTION

    def lower_nested(i: int, value: Any) -> None:
        box = 0
        if value is not None:
            if not isinstance(value, Some):
                raise Misfit(value, name, "an option inside an option is Some(value) or None")
            lower_payload(i, value.value)
            box = _box(i)
        words[i + 1] = box
        words[i] = OPTION

    return Codec(name, lift_nested, lower_nested) if nested else Codec(name, lift, lower)


class ResultCodec(Codec):
    """A result: `Ok` and `Err` both ways; as a function's whole result its sides are used one by one.

    Attributes:
        lower_ok: writes the good side from its payload.
        lower_err: writes the bad side from its payload.
    """

    __slots__ = ("_ok", "lower_err", "lower_ok")

    def __init__(self, ok: Codec | None, err: Codec | None) -> None:
        name = f"result<{ok.name if ok else '_'}, {err.name if err else '_'}>"
        lift_ok, lift_err = ok and ok.lift, err and err.lift
        self.lower_ok = lower_ok = self._side(1, ok, name)
        self.lower_err = lower_err = self._side(0, err, name)

        def lift(i: int) -> Ok | Err:
            box = words[i + 2]
            at = (box >> 3) - 1
            if words[i + 1] & 0xFF:  # a one-byte `bool`; what lies above it is padding
                return Ok(lift_ok(at) if lift_ok else None)
            return Err(lift_err(at) if lift_err else None)

        def lower(i: int, value: Any) -> None:
            if isinstance(value, Ok):
                lower_ok(i, value.value)
            elif isinstance(value, Err):
                lower_err(i, value.value)
            else:
                raise Misfit(value, name, "a result is Ok(value) or Err(value)")

        super().__init__(name, lift, lower)
        self._ok = ok

    def ok_source(self, source: Source) -> None:
        """Write what lowers ``value``, the payload of the good side, at word index ``r``."""
        if self._ok is None:
            source.line("if value is not None:")
            source.line(f"    {source.bind('lower_ok', self.lower_ok)}(r, value)")  # which says that there is none
            source.line("words[r + 2] = 0")
        else:
            source.line("try:")
            source.indent += 1
            self._ok.lower_source(source)
            source.indent -= 1
            source.line(f"except {source.bind('Misfit', Misfit)} as misfit:")
            source.line("    misfit.inside('.ok')")
            source.line("    raise")
            source.line(f"words[r + 2] = {source.bind('new_box', lib.wasmtime_component_val_new)}((r + 1) << 3)")
        source.line("words[r + 1] = 1")
        source.line(f"words[r] = {RESULT}")

    @staticmethod
    def _side(is_ok: int, payload: Codec | None, name: str) -> Callable[[int, Any], None]:
        side = ".ok" if is_ok else ".err"
        if payload is None:

            def lower_empty(i: int, value: Any) -> None:
                if value is not None:
                    raise Misfit(value, name, f"{side[1:]} has no payload")
                words[i + 1] = is_ok
                words[i + 2] = 0
                words[i] = RESULT

            return lower_empty
        lower_payload = payload.lower

        def lower(i: int, value: Any) -> None:
            try:
                lower_payload(i, value)
            except Misfit as misfit:
                misfit.inside(side)
                raise
            box = _box(i)
            words[i + 1] = is_ok
            words[i + 2] = box
            words[i] = RESULT

        return lower


__all__ = [
    "ResultCodec",
    "enum_codec",
    "flags_codec",
    "generic_list",
    "option_codec",
    "record_codec",
    "snake_case",
    "tuple_codec",
    "variant_codec",
]
