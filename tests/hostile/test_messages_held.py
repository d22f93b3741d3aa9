"""How much memory a call's messages may take, however many `fields` and bodies they are spread over."""

from __future__ import annotations

import pytest

from qwasr.errors import GuestTrap
from qwasr.values import Variant
from qwasr_http.fields import MAX_FIELDS_BYTES, Fields
from qwasr_http.held import MAX_HELD_BYTES, MAX_UNTAKEN_BYTES
from qwasr_http.sinks import BUFFER_BYTES, BodySink

LARGE = b"x" * (MAX_FIELDS_BYTES // 2)


def filled() -> Fields:
    fields = Fields()
    fields.append("x-large", LARGE)
    return fields


def hoard(make: object) -> list[Fields]:
    assert callable(make)
    return [make() for _ in range(MAX_HELD_BYTES // len(LARGE) + 2)]


def test_fields_of_one_call_hold_so_much_together_and_no_more() -> None:
    with pytest.raises(GuestTrap, match="of a call hold more than"):
        hoard(filled)
    filled()  # those are gone


def test_copies_weigh_as_much_as_what_they_are_copies_of() -> None:
    one = filled()
    with pytest.raises(GuestTrap, match="of a call hold more than"):
        hoard(one.clone)
    one.clone()


def test_what_is_deleted_or_replaced_weighs_no_longer() -> None:
    fields = filled()
    for _ in range(200):
        fields.set("x-large", [LARGE])
        fields.append("x-other", b"y")
        fields.delete("x-other")
    fields.delete("x-large")
    assert fields.entries() == []
    for _ in range(200):
        filled()


def test_a_deletion_does_not_hide_what_is_left() -> None:
    def trimmed() -> Fields:
        fields = filled()
        fields.append("x-other", b"y")
        fields.delete("x-other")
        return fields

    with pytest.raises(GuestTrap, match="of a call hold more than"):
        hoard(trimmed)


def written() -> BodySink:
    sink = BodySink(None, "HTTP-response-body-size")
    sink.write(bytes(BUFFER_BYTES))
    return sink


def test_bodies_that_are_not_sent_hold_so_much_together_and_no_more() -> None:
    with pytest.raises(GuestTrap, match="bodies of a call that are not sent yet hold more than"):
        [written() for _ in range(MAX_UNTAKEN_BYTES // BUFFER_BYTES + 1)]
    written()  # those are gone


def test_a_body_that_is_sent_or_given_up_weighs_no_longer() -> None:
    kept = []
    for number in range(2 * MAX_UNTAKEN_BYTES // BUFFER_BYTES):
        kept.append(written())
        if number % 2:
            assert len(kept[-1].take()) == BUFFER_BYTES
        else:
            kept[-1].fail(Variant("internal-error"))
            assert kept[-1].take() == b""
