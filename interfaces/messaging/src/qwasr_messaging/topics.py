"""Topics, and the patterns that match them: ``orders.*`` and ``orders.>``.

A topic is one or more words with dots between them, at most 255 bytes in UTF-8; the ``dead-letter.`` before that of
dead letters does not count. A word is any text without blanks, control characters and the characters ``. * >``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwasr_messaging.errors import InvalidTopic
from qwasr_messaging.protocol import DEAD_LETTER

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_TOPIC_BYTES", "Patterns", "check_group", "check_topic", "dead_letter_topic"]

MAX_TOPIC_BYTES: Final = 255
_WORD: Final = r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff.*>]+"
_TOPIC: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LETTERS: Final = f"{DEAD_LETTER}."
_SHOWN: Final = 64  # characters of what is wrong that a message shows


def check_topic(topic: str) -> None:
    """Check that a message can have this topic.

    Raises:
        InvalidTopic: it cannot.
    """
    if not _fits(topic) or _TOPIC.fullmatch(topic) is None:
        msg = f"{topic[:_SHOWN]!r} is no topic: words with dots between them, without * and >, 255 bytes at most"
        raise InvalidTopic(msg)


def check_group(group: str) -> None:
    """Check the name of a group.

    Raises:
        InvalidTopic: it is empty, too long or no Unicode text.
    """
    if not 0 < _bytes(group) <= MAX_TOPIC_BYTES or _SURROGATE.search(group) is not None:
        msg = f"{group[:_SHOWN]!r} is no name of a group: 1 to {MAX_TOPIC_BYTES} bytes of Unicode text"
        raise InvalidTopic(msg)


def dead_letter_topic(topic: str) -> str:
    """Return where dead letters of a topic go; those of dead letters go where they came from."""
    return topic if topic.startswith(_LETTERS) else f"{_LETTERS}{topic}"


class Patterns:
    """What a group has subscribed to.

    Args:
        patterns: the patterns; topics are patterns of themselves.

    Raises:
        InvalidTopic: there is none, or one is no pattern.
    """

    __slots__ = ("_matches", "text")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.text = tuple(dict.fromkeys(patterns))
        if not self.text:
            msg = "a subscription needs a topic, or a pattern of topics"
            raise InvalidTopic(msg)
        self._matches = re.compile("|".join(_expression(pattern) for pattern in self.text)).fullmatch

    def match(self, topic: str) -> bool:
        """Return whether a topic is among them."""
        return self._matches(topic) is not None


def _expression(pattern: str) -> str:
    words = pattern.split(".")
    last = words.pop() if words[-1] == ">" else None
    plain = [word for word in words if word != "*"]
    if not _fits(pattern) or any(_TOPIC.fullmatch(word) is None for word in plain):
        msg = f"{pattern[:_SHOWN]!r} is no pattern of topics: words, * for any word, > at the end for all that follow"
        raise InvalidTopic(msg)
    # Nobody gets dead letters who does not say so.
    guard = "" if words[:1] == [DEAD_LETTER] else rf"(?!{DEAD_LETTER}(?:\.|\Z))"
    parts = [r"[^.]+" if word == "*" else re.escape(word) for word in words]
    if last is not None:
        parts.append(r"[^.]+(?:\.[^.]+)*")
    return guard + r"\.".join(parts)


def _fits(text: str) -> bool:
    """Return whether a topic or a pattern is as long as it may be."""
    own = text.removeprefix(_LETTERS)  # else nobody could name the dead letters of the longest topics
    return 0 < len(own) <= MAX_TOPIC_BYTES and _bytes(own) <= MAX_TOPIC_BYTES


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
