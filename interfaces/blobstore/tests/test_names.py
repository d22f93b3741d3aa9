"""Names of objects and containers as names of files."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwasr_blobstore import BlobstoreError, TooLarge
from qwasr_blobstore._names import container_part, object_name, object_parts

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400).filter(
    lambda name: len(name.encode()) <= 1024
)


@settings(deadline=None)
@given(NAMES)
@example("a" * 200)
@example("a" * 201)
@example("🗝" * 256)
@example("A" * 1024)
def test_a_name_comes_back_from_its_parts(name: str) -> None:
    assert object_name(object_parts(name)) == name


@settings(deadline=None)
@given(NAMES)
@example("..")
@example("CON")
@example("🗝" * 256)
def test_parts_are_what_every_disk_takes(name: str) -> None:
    for part in [*object_parts(name), container_part(name)]:
        assert re.fullmatch(r"[a-z0-9A-F%_-]*%[xoz]", part)
        assert 2 < len(part) <= 255
        assert not part.startswith(".")


@settings(deadline=None)
@given(NAMES, NAMES)
@example("A", "a")
@example("ß", "ss")
@example("a" * 205, "a" * 200)
@example("a", "a%o")
def test_two_names_are_two_on_a_disk_that_does_not_tell_case(one: str, other: str) -> None:
    for parts in (object_parts, lambda name: [container_part(name)]):
        first, second = ([part.lower() for part in parts(name)] for name in (one, other))
        assert (first == second) == (one == other)


@settings(deadline=None)
@given(NAMES, NAMES)
@example("n" * 200, "n" * 201)
def test_no_file_is_where_another_name_needs_a_folder(one: str, other: str) -> None:
    first, second = object_parts(one), object_parts(other)
    assert second[: len(first)] != first or one == other


@pytest.mark.parametrize(
    "parts",
    [["a"], ["a%x"], ["a%o", "b%o"], ["A%o"], ["%4%o"], ["%zz%o"], ["%4f%o"], ["%FF%o"], ["%o"], ["é%o"], ["%+1%o"],
     ["%41%o%o"], ["a" * 201 + "%o"], ["a%x", "b%o"], ["a" * 200 + "%x"] * 6 + ["a%o"], ["\udc80%o"], [".a%o"]],
)  # fmt: skip
def test_somebody_elses_file_is_no_name(parts: list[str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever
        object_name(parts)


@pytest.mark.parametrize("function", [object_parts, container_part])
def test_what_is_no_name_has_no_parts(function: object) -> None:
    assert callable(function)
    with pytest.raises(BlobstoreError, match="is empty"):
        function("")
    with pytest.raises(TooLarge, match="has 1025 bytes, more than 1024"):
        function("a" * 1025)
    with pytest.raises(BlobstoreError, match="no Unicode text"):
        function("\ud800")


def test_a_container_of_a_long_name_is_one_part_that_shows_its_beginning() -> None:
    part = container_part("photos" + "é" * 500)
    assert part.startswith("photos%C3%A9")
    assert part != container_part("photos" + "é" * 499)
