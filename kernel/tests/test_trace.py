from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.trace import MAX_STATE_BYTES, MAX_STATE_MEMBERS, TraceContext

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_valid_parent_goes_on_unchanged() -> None:
    found = TraceContext.read([PARENT], ["vendor=1, other@sys=2"])
    assert found == TraceContext(PARENT, "vendor=1,other@sys=2")
    assert found.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "0",
        PARENT + "-more",
        "ff" + PARENT[2:],
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
        PARENT + "\n",
        "\u0660\u0660" + PARENT[2:],
    ],
)
def test_an_invalid_parent_is_none(parent: str) -> None:
    assert TraceContext.read([parent], ["vendor=1"]) is None


def test_two_parents_are_none() -> None:
    assert TraceContext.read([PARENT, PARENT], []) is None


def test_of_a_later_version_what_is_known_goes_on() -> None:
    found = TraceContext.read(["cc" + PARENT[2:-2] + "fb-later"], [])
    assert found == TraceContext(PARENT)


@pytest.mark.parametrize("state", ["Vendor=1", "a", "a=", "a=1,a=2", "a=\x7f", "=1", "a=b=c", "a=1" * 9000])
def test_a_state_that_is_not_valid_is_dropped_and_its_parent_stays(state: str) -> None:
    assert TraceContext.read([PARENT], [state]) == TraceContext(PARENT)


def test_a_state_of_several_headers_is_one() -> None:
    assert TraceContext.read([PARENT], ["a=1,,b=2", "c=3"]) == TraceContext(PARENT, "a=1,b=2,c=3")


def test_a_state_of_too_many_members_keeps_the_first() -> None:
    found = TraceContext.read([PARENT], [",".join(f"a{number}=1" for number in range(40))])
    assert found is not None
    assert found.state.split(",") == [f"a{number}=1" for number in range(MAX_STATE_MEMBERS)]


def test_of_a_state_that_is_too_long_long_members_go_first() -> None:
    found = TraceContext.read([PARENT], [f"a={'x' * 200},b={'x' * 100},c={'x' * 200},d={'x' * 100}"])
    assert found is not None
    assert [member[0] for member in found.state.split(",")] == ["a", "b", "d"]


def test_a_new_trace_is_valid_and_no_other() -> None:
    one, other = TraceContext.new(), TraceContext.new()
    assert one.trace_id != other.trace_id
    assert TraceContext.read([one.parent], []) == one


@given(st.lists(st.text(max_size=80), max_size=2), st.lists(st.text(max_size=600), max_size=4))
def test_whatever_is_sent_what_goes_on_is_bounded_and_valid(parents: list[str], states: list[str]) -> None:
    found = TraceContext.read([*parents, PARENT][:1], states)
    if found is not None:
        assert len(found.parent) == 55
        assert len(found.state) <= MAX_STATE_BYTES
        assert found.state.isascii()
        assert TraceContext.read([found.parent], [found.state]) == found
