"""The resources in a host function's answer: they are the guest's, and when it does not get them they are dropped.

An answer may not fit, may hold more resources than the guest may have, or may come when the call has ended. What would
have been passed by `own` is found by the type, so that nothing else that a value happens to refer to is dropped.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qwasr.engine.composite import snake_case
from qwasr.hosting import HostResource
from qwasr.values import Err, Ok, Some, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Owned = Callable[[Any], Iterator[HostResource]]

__all__ = ["drop_all", "owned_in"]

_log = logging.getLogger("qwasr.engine")


def drop_all(resources: Iterable[HostResource]) -> None:
    """Drop each of them; one bad `drop` keeps no other from its own."""
    for resource in resources:
        try:
            resource.drop()
        except Exception:  # noqa: BLE001 - see above
            _log.exception("dropping %s at the end of a call failed", type(resource).__name__)


def owned_in(reflected: Any) -> Owned | None:
    """Return what finds the resources that a value of a type gives away; None for a type without any.

    The value need not fit the type: that may be why it was not passed.
    """
    match type(reflected).__name__:
        case "OwnType":
            return _itself
        case "ListType":
            return _in_each(owned_in(reflected.element))
        case "TupleType":
            return _in_elements([owned_in(of) for of in reflected.elements])
        case "RecordType":
            return _in_fields({snake_case(field): owned_in(of) for field, of in reflected.fields})
        case "VariantType":
            return _in_case({case: owned_in(of) for case, of in reflected.cases})
        case "OptionType":
            return _in_option(owned_in(reflected.payload))
        case "ResultType":
            return _in_result(owned_in(reflected.ok), owned_in(reflected.err))
    return None


def _itself(value: Any) -> Iterator[HostResource]:
    if isinstance(value, HostResource):
        yield value


def _in_each(element: Owned | None) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        if element is not None and isinstance(value, (list, tuple)):
            for one in value:
                yield from element(one)

    return find if element is not None else None


def _in_elements(elements: list[Owned | None]) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        if isinstance(value, (list, tuple)):
            for element, one in zip(elements, value, strict=False):
                if element is not None:
                    yield from element(one)

    return find if any(elements) else None


def _in_fields(fields: dict[str, Owned | None]) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        for attribute, field in fields.items():
            if field is not None:
                yield from field(getattr(value, attribute, None))

    return find if any(fields.values()) else None


def _in_case(cases: dict[str, Owned | None]) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        payload = cases.get(value.case) if isinstance(value, Variant) else None
        if payload is not None:
            yield from payload(value.value)

    return find if any(cases.values()) else None


def _in_option(payload: Owned | None) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        if payload is not None:
            yield from payload(value.value if isinstance(value, Some) else value)

    return find if payload is not None else None


def _in_result(ok: Owned | None, err: Owned | None) -> Owned | None:
    def find(value: Any) -> Iterator[HostResource]:
        side = ok if isinstance(value, Ok) else err if isinstance(value, Err) else None
        if side is not None:
            yield from side(value.value)

    return find if ok is not None or err is not None else None
