"""A place in the words of a statement, and what is gone past there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwasr_sql._tokens import Token

__all__ = ["Reader"]


class Reader:
    """A place in a list of words."""

    def __init__(self, words: Sequence[Token]) -> None:
        self._words = words
        self._at = 0
        self.known: set[int] = set()  # where each SELECT and VALUES is whose columns are known

    def peek(self) -> Token | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def is_word(self, *texts: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == "word" and token.text in texts

    def take(self, text: str) -> bool:
        """Go past a keyword or sign, if it is there."""
        token = self.peek()
        found = token is not None and token.kind in ("word", "sign") and token.text == text
        self._at += found
        return found

    def selects(self, text: str) -> bool:
        """Go past SELECT or VALUES, if it is there: what it hands on goes to known columns."""
        at = self._at
        if not self.take(text):
            return False
        self.known.add(at)
        return True

    def others(self) -> Iterator[Reader]:
        """Yield a reader at each other SELECT and VALUES, but for those that are only compared with."""
        for at, token in enumerate(self._words):
            if token.kind == "word" and token.text in ("SELECT", "VALUES") and at not in self.known:
                before = [word.text for word in self._words[max(0, at - 2) : at]]
                if before not in (["IN", "("], ["EXISTS", "("]):
                    reader = Reader(self._words)
                    reader._at = at
                    yield reader

    def skip_with(self) -> None:
        """Go past WITH and all that it names, if it is there."""
        if not self.take("WITH"):
            return
        self.take("RECURSIVE")
        while self.name() is not None:
            self.skip_to(frozenset({"AS"}))
            self.until(lambda token, _: token.text == "(")  # NOT MATERIALIZED
            if self.take("("):
                self.until(lambda *_: False)
                self.take(")")
            if not self.take(","):
                return

    def name(self) -> str | None:
        """Go past a name and return it; ``None`` if there is none."""
        token = self.peek()
        if token is None or token.kind not in ("word", "name", "literal"):
            return None
        self._at += 1
        return token.name

    def until(self, ends: Callable[[Token, Token | None], bool]) -> list[Token]:
        """Return the words up to one outside of parentheses for which `ends` holds, or up to one too many ``)``."""
        depth, begin, before = 0, self._at, None
        while (token := self.peek()) is not None:
            if token.kind == "sign" and token.text == ")":
                if depth == 0:
                    break
                depth -= 1
            elif depth == 0 and ends(token, before):
                break
            elif token.kind == "sign" and token.text == "(":
                depth += 1
            before = token
            self._at += 1
        return list(self._words[begin : self._at])

    def skip_to(self, keywords: frozenset[str]) -> None:
        self.until(lambda token, _: token.kind == "word" and token.text in keywords)

    def table(self) -> str | None:
        """Go past a table's name, its schema before and another name for it behind it."""
        name = self.name()
        if name is not None and self.take("."):
            name = self.name()
        if self.take("AS"):
            self.name()
        return name
