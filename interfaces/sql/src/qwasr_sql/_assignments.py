"""Which parameter a statement writes to which column as it is.

``INSERT INTO t (a, b) VALUES (?, ? + 1)`` writes the first parameter to the column a as it is; what b gets is worked
out by SQLite. The same for ``INSERT … SELECT ?``, ``ON CONFLICT … DO UPDATE SET a = ?`` and ``UPDATE t SET a = ?``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwasr_sql._tokens import Token

__all__ = ["Assignment", "Assignments", "assignments", "verb"]

_VERBS: Final = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"})
_AFTER_SET: Final = frozenset({"FROM", "WHERE", "RETURNING", "ORDER", "LIMIT", "ON"})
_AFTER_RESULTS: Final = frozenset({"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "RETURNING", "ON"})
_COMPOUND: Final = frozenset({"UNION", "EXCEPT", "INTERSECT"})


class Assignment(NamedTuple):
    """One parameter that is written to one column.

    Attributes:
        number: the parameter's, from 1.
        column: the column's name; its place among the table's own columns, from 0, where the statement names none.
    """

    number: int
    column: str | int


class Assignments(NamedTuple):
    """What a statement writes to one table.

    Attributes:
        table: its name, as it is written.
        items: one for each parameter that is written as it is.
    """

    table: str
    items: tuple[Assignment, ...]


def assignments(words: Sequence[Token]) -> Assignments | None:
    """Return what a statement writes as it is; ``None`` if it writes nothing of that kind.

    Args:
        words: the statement's words.
    """
    reader = _begin(words)
    if reader.take("UPDATE"):
        return _update(reader)
    if reader.take("INSERT") or reader.take("REPLACE"):
        return _insert(reader)
    return None


def verb(words: Sequence[Token]) -> str:
    """Return what a statement does: its first word, or the one behind what WITH names."""
    token = _begin(words).peek()
    return "" if token is None or token.kind != "word" else token.text


def _begin(words: Sequence[Token]) -> _Reader:
    reader = _Reader(words)
    if reader.is_word("WITH"):
        reader.skip_to(_VERBS)
    return reader


class _Reader:
    """A place in a list of words."""

    def __init__(self, words: Sequence[Token]) -> None:
        self._words = words
        self._at = 0

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


def _update(reader: _Reader) -> Assignments | None:
    if reader.take("OR"):
        reader.name()
    table = reader.table()
    reader.skip_to(frozenset({"SET"}))
    if table is None or not reader.take("SET"):
        return None
    return Assignments(table, tuple(_set(reader)))


def _insert(reader: _Reader) -> Assignments | None:
    if reader.take("OR"):
        reader.name()
    if not reader.take("INTO"):
        return None
    table = reader.table()
    if table is None:
        return None
    columns = _names(reader) if reader.take("(") else None
    found: list[Assignment] = []
    if reader.is_word("WITH"):
        reader.skip_to(_VERBS)
    found += _selected(reader, columns)
    while reader.peek() is not None:
        reader.skip_to(frozenset({"DO"}))
        if not reader.take("DO"):
            break
        if reader.take("UPDATE") and reader.take("SET"):
            found += _set(reader)
    return Assignments(table, tuple(found))


def _selected(reader: _Reader, columns: list[str] | None) -> list[Assignment]:
    """Return what each of the joined SELECTs hands on as it is."""
    found: list[Assignment] = []
    while True:
        if reader.take("VALUES"):
            found += _rows(reader, columns)
        elif reader.take("SELECT"):
            if not reader.take("DISTINCT"):
                reader.take("ALL")
            items = _items(reader, _AFTER_RESULTS | _COMPOUND)
            if not any(item and item[-1].text == "*" for item in items):  # an asterisk is any number of columns
                found += _row([_unnamed(item) for item in items], columns)
        else:
            return found
        reader.skip_to(_COMPOUND | {"ON", "RETURNING"})
        if not (reader.take("UNION") or reader.take("EXCEPT") or reader.take("INTERSECT")):
            return found
        reader.take("ALL")


def _rows(reader: _Reader, columns: list[str] | None) -> list[Assignment]:
    """Return what each row of VALUES hands on as it is."""
    found: list[Assignment] = []
    while reader.take("("):
        found += _row(_list(reader), columns)
        reader.take(")")
        reader.take(",")
    return found


def _unnamed(item: list[Token]) -> list[Token]:
    """Return a result column without the name that it is given."""
    if len(item) in (2, 3) and item[0].kind == "param" and item[-1].kind in ("word", "name"):
        return item[:1] if len(item) == 2 or item[1].text == "AS" else item
    return item


def _set(reader: _Reader) -> list[Assignment]:
    found: list[Assignment] = []
    for item in _items(reader, _AFTER_SET):
        at = next((place for place, token in enumerate(item) if token.text == "=" and token.kind == "sign"), None)
        if at is None:
            continue
        target, value = item[:at], item[at + 1 :]
        if len(target) == 1:
            found += _row([value], [target[0].name])
        else:  # (a, b) = (?, ?)
            names = _Reader(target)
            values = _Reader(value)
            if names.take("(") and values.take("(") and not values.is_word("SELECT", "VALUES", "WITH"):
                found += _row(_list(values), _names(names))
    return found


def _items(reader: _Reader, ends: frozenset[str]) -> list[list[Token]]:
    """Return what stands between commas, up to a keyword."""
    found = []
    while True:
        found.append(
            reader.until(
                lambda token, before: (
                    (token.kind == "sign" and token.text in ",;")
                    or (
                        token.kind == "word"
                        and token.text in ends
                        and not (before is not None and before.text == "DISTINCT")  # IS DISTINCT FROM
                    )
                )
            )
        )
        if not reader.take(","):
            return found


def _list(reader: _Reader) -> list[list[Token]]:
    """Return what stands between commas, up to the closing parenthesis."""
    return _items(reader, frozenset())


def _names(reader: _Reader) -> list[str]:
    found = [item[0].name if len(item) == 1 else "" for item in _list(reader)]
    reader.take(")")
    return found


def _row(values: list[list[Token]], columns: list[str] | None) -> list[Assignment]:
    found = []
    for place, value in enumerate(values):
        inner = value
        while len(inner) > 2 and inner[0].text == "(" and inner[-1].text == ")":
            inner = inner[1:-1]
        if len(inner) == 1 and inner[0].kind == "param" and (columns is None or place < len(columns)):
            found.append(Assignment(inner[0].number, place if columns is None else columns[place]))
    return found
