"""wasi:http/types.fields: a multi-map whose names have no case, and what it refuses."""

from __future__ import annotations

import string
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.errors import GuestTrap
from qwasr.values import Variant, WitError
from qwasr_http.fields import FORBIDDEN, MAX_FIELDS_BYTES, Fields, entries_from_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
names = st.text(TOKEN, min_size=1, max_size=20).filter(lambda name: name.lower() not in FORBIDDEN)
values = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte == 9 or 32 <= byte != 127))


@contextmanager
def refused(case: str) -> Iterator[None]:
    with pytest.raises(WitError) as found:
        yield
    assert found.value.value == Variant(case)


def test_values_of_one_name_are_found_whatever_its_case() -> None:
    fields = Fields.from_list([("X-One", b"1"), ("other", b"2"), ("x-oNE", b"3")])
    assert fields.get("x-one") == [b"1", b"3"]
    assert fields.has("X-ONE")
    assert not fields.has("x-two")


def test_entries_keep_order_and_case() -> None:
    entries = [("X-One", b"1"), ("other", b"2"), ("x-oNE", b"3")]
    assert Fields.from_list(entries).entries() == entries


def test_set_replaces_all_values_and_delete_removes_them() -> None:
    fields = Fields.from_list([("a", b"1"), ("b", b"2"), ("A", b"3")])
    fields.set("a", [b"4", b"5"])
    assert fields.get("A") == [b"4", b"5"]
    fields.delete("A")
    assert fields.entries() == [("b", b"2")]
    fields.delete("never-there")


def test_an_empty_list_sets_a_name_to_nothing() -> None:
    fields = Fields.from_list([("a", b"1")])
    fields.set("a", [])
    assert not fields.has("a")


def test_a_clone_changes_by_itself() -> None:
    fields = Fields.of([("a", "a", b"1")], immutable=True)
    clone = fields.clone()
    clone.append("a", b"2")
    assert (fields.get("a"), clone.get("a")) == ([b"1"], [b"1", b"2"])


@given(st.lists(st.tuples(names, values)))
def test_whatever_may_be_sent_comes_back_as_it_went_in(entries: list[tuple[str, bytes]]) -> None:
    fields = Fields.from_list(entries)
    assert fields.entries() == entries
    for name, _ in entries:
        assert fields.get(name.upper()) == [value for other, value in entries if other.lower() == name.lower()]


@given(st.text(max_size=10), st.sampled_from(["append", "set", "delete", "from_list"]))
def test_a_name_is_a_token_or_refused(name: str, how: str) -> None:
    fields = Fields()
    valid = bool(name) and all(letter in TOKEN for letter in name)
    changes: dict[str, Callable[[], object]] = {
        "append": lambda: fields.append(name, b""),
        "set": lambda: fields.set(name, [b""]),
        "delete": lambda: fields.delete(name),
        "from_list": lambda: Fields.from_list([(name, b"")]),
    }
    change = changes[how]
    if valid and name.lower() not in FORBIDDEN:
        change()
    else:
        with refused("forbidden" if valid else "invalid-syntax"):
            change()


@given(st.binary(max_size=20))
def test_a_value_has_no_control_characters_but_tabs(value: bytes) -> None:
    fields = Fields()
    if any((byte < 32 and byte != 9) or byte == 127 for byte in value):
        with refused("invalid-syntax"):
            fields.append("a", value)
    else:
        fields.append("a", value)
        assert fields.get("a") == [value]


@pytest.mark.parametrize("name", sorted({name.title() for name in FORBIDDEN}))
def test_names_that_frame_a_message_are_forbidden(name: str) -> None:
    with refused("forbidden"):
        Fields().append(name, b"1")


@pytest.mark.parametrize("name", ["", "a b", "a:", "ü", "a\n", "\u212a"])
def test_names_that_cannot_be_are_not_there(name: str) -> None:
    fields = Fields.from_list([("k", b"1")])
    assert fields.get(name) == []
    assert not fields.has(name)


def test_immutable_fields_stay_as_they_are() -> None:
    fields = Fields.of([("a", "a", b"1")], immutable=True)
    with refused("immutable"):
        fields.set("a", [])
    with refused("immutable"):
        fields.append("a", b"")
    with refused("immutable"):
        fields.delete("a")
    assert fields.get("a") == [b"1"]


def test_a_change_that_is_refused_changes_nothing() -> None:
    fields = Fields.from_list([("a", b"1")])
    with refused("invalid-syntax"):
        fields.set("a", [b"2", b"\n"])
    assert fields.get("a") == [b"1"]


def test_more_than_the_limit_is_a_trap() -> None:
    fields = Fields()
    fields.append("a", bytes(MAX_FIELDS_BYTES // 2).replace(b"\0", b"x"))
    with pytest.raises(GuestTrap):
        fields.append("a", bytes(MAX_FIELDS_BYTES // 2).replace(b"\0", b"x"))


def test_room_that_was_freed_may_be_used_again() -> None:
    fields = Fields()
    for _ in range(10):
        fields.set("a", [b"x" * (MAX_FIELDS_BYTES // 2)])
    assert len(fields.get("a")) == 1


def test_received_fields_lack_what_was_for_the_connection_and_what_it_names() -> None:
    raw = [(b"Host", b"a"), (b"Connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"X-Kept", b"2"), (b"TE", b"trailers")]
    assert entries_from_wire(raw) == [("x-kept", "x-kept", b"2")]
