"""Topics and patterns, against a plain way to match them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr_messaging.errors import InvalidTopic
from qwasr_messaging.topics import MAX_TOPIC_BYTES, Patterns, check_group, check_topic, dead_letter_topic

WORDS = st.sampled_from(["a", "b", "dead-letter", "a+", "(", "ä"])
TOPICS = st.lists(WORDS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda words, end: ".".join([*words, *end]),
    st.lists(st.one_of(WORDS, st.just("*")), min_size=1, max_size=4),
    st.sampled_from([[], [">"]]),
)


def matches(pattern: list[str], topic: list[str]) -> bool:
    if not pattern or not topic:
        return not pattern and not topic
    if pattern == [">"]:
        return True
    return pattern[0] in ("*", topic[0]) and matches(pattern[1:], topic[1:])


@given(PATTERNS, TOPICS)
def test_a_pattern_matches_word_for_word(pattern: str, topic: str) -> None:
    words, others = pattern.split("."), topic.split(".")
    hidden = others[0] == "dead-letter" and words[0] != "dead-letter"
    assert Patterns([pattern]).match(topic) == (matches(words, others) and not hidden)


@given(st.lists(PATTERNS, min_size=1, max_size=4), TOPICS)
def test_several_patterns_match_what_one_of_them_does(patterns: list[str], topic: str) -> None:
    assert Patterns(patterns).match(topic) == any(Patterns([pattern]).match(topic) for pattern in patterns)


@given(st.text(max_size=300))
def test_any_text_is_a_topic_or_refused_and_a_topic_is_a_pattern_of_itself(text: str) -> None:
    try:
        check_topic(text)
    except InvalidTopic:
        return
    assert len(text.encode()) <= MAX_TOPIC_BYTES
    assert re.search(r"[\s*>]|\.\.|^\.|\.$", text) is None
    assert Patterns([text]).match(text)


@given(st.text(max_size=300))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        Patterns([text])
    except InvalidTopic:
        return
    assert len(text.encode()) <= MAX_TOPIC_BYTES


def test_a_topic_of_many_words_takes_no_time() -> None:
    topic = ".".join("a" * 100)
    assert Patterns([".".join("*" * 50 + ">"), ">"]).match(topic)
    assert not Patterns([".".join("*" * 99)]).match(topic)


@pytest.mark.parametrize("group", ["", "x" * 256, "é" * 128])
def test_a_group_has_a_name_of_some_length(group: str) -> None:
    with pytest.raises(InvalidTopic, match="no name of a group"):
        check_group(group)


def test_dead_letters_of_dead_letters_stay_where_they_are() -> None:
    assert dead_letter_topic("a.b") == "dead-letter.a.b"
    assert dead_letter_topic("dead-letter.a.b") == "dead-letter.a.b"
    assert dead_letter_topic("dead-letters") == "dead-letter.dead-letters"
