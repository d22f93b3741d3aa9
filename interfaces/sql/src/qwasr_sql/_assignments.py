"""Which parameter a statement writes to which column as it is.

``INSERT INTO t (a, b) VALUES (?, ? + 1)`` writes the first parameter to the column a as it is; what b gets is worked
out by SQLite. The same for ``INSERT … SELECT ?``, ``ON CONFLICT … DO UPDATE SET a = ?`` and ``UPDATE t SET a = ?``.

A parameter that stands as it is in any other SELECT or VALUES of the statement, such as ``INSERT INTO t SELECT * FROM
(VALUES (?))``, may come to any column: which one is not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwasr_sql._reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qwasr_sql._tokens import Token

__all__ = ["Assignment", "Assignments", "assignments", "verb"]

_OPERATORS: Final = ("ISNULL", "NOTNULL")  # words behind a value that are no name for it
_AFTER_SET: Final = frozenset({"FROM", "WHERE", "RETURNING", "ORDER", "LIMIT", "ON"})
_AFTER_RESULTS: Final = frozenset({"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "RETURNING", "ON"})
_COMPOUND: Final = frozenset({"UNION", "EXCEPT", "INTERSECT"})


class Assignment(NamedTuple):
    """One parameter that is written to one column.

    Attributes:
        number: the parameter's, from 1.
        column: the column's name; its place among the table's own columns, from 0, where the statement names none;
            ``None`` where it may be any of them.
    """

    number: int
    column: str | int | None


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
        found = _update(reader)
    elif reader.take("INSERT") or reader.take("REPLACE"):
        found = _insert(reader)
    else:
        return None
    return found and Assignments(found.table, found.items + tuple(_elsewhere(reader)))


def verb(words: Sequence[Token]) -> str:
    """Return what a statement does: its first word, or the one behind what WITH names."""
    token = _begin(words).peek()
    return "" if token is None or token.kind != "word" else token.text


def _begin(words: Sequence[Token]) -> Reader:
    reader = Reader(words)
    reader.skip_with()
    return reader


def _update(reader: Reader) -> Assignments | None:
    if reader.take("OR"):
        reader.name()
    table = reader.table()
    reader.skip_to(frozenset({"SET"}))
    if table is None or not reader.take("SET"):
        return None
    return Assignments(table, tuple(_set(reader)))


def _insert(reader: Reader) -> Assignments | None:
    if reader.take("OR"):
        reader.name()
    if not reader.take("INTO"):
        return None
    table = reader.table()
    if table is None:
        return None
    columns = _names(reader) if reader.take("(") else None
    found: list[Assignment] = []
    reader.skip_with()
    found += _selected(reader, columns)
    while reader.peek() is not None:
        reader.skip_to(frozenset({"DO"}))
        if not reader.take("DO"):
            break
        if reader.take("UPDATE") and reader.take("SET"):
            found += _set(reader)
    return Assignments(table, tuple(found))


def _selected(reader: Reader, columns: list[str] | None) -> list[Assignment]:
    """Return what each of the joined SELECTs hands on as it is."""
    found: list[Assignment] = []
    while True:
        if reader.selects("VALUES"):
            found += _rows(reader, columns)
        elif reader.selects("SELECT"):
            items = _results(reader)
            known = next((place for place, item in enumerate(items) if item and item[-1].text == "*"), len(items))
            found += _row(items[:known], columns)
            found += _anywhere(items[known:])  # an asterisk is any number of columns
        else:
            return found
        reader.skip_to(_COMPOUND | {"ON", "RETURNING"})
        if not (reader.take("UNION") or reader.take("EXCEPT") or reader.take("INTERSECT")):
            return found
        reader.take("ALL")


def _rows(reader: Reader, columns: list[str] | None) -> list[Assignment]:
    """Return what each row of VALUES hands on as it is."""
    found: list[Assignment] = []
    while reader.take("("):
        found += _row(_list(reader), columns)
        reader.take(")")
        reader.take(",")
    return found


def _results(reader: Reader) -> list[list[Token]]:
    """Return the result columns of a SELECT."""
    if not reader.take("DISTINCT"):
        reader.take("ALL")
    return _items(reader, _AFTER_RESULTS | _COMPOUND)


def _elsewhere(reader: Reader) -> Iterator[Assignment]:
    """Yield what may come to any column, since it stands in a SELECT or VALUES that is not followed."""
    for other in reader.others():
        if other.take("SELECT"):
            yield from _anywhere(_results(other))
        elif other.take("VALUES"):
            while other.take("("):
                yield from _anywhere(_list(other))
                other.take(")")
                other.take(",")


def _anywhere(items: list[list[Token]]) -> list[Assignment]:
    return [Assignment(number, None) for item in items if (number := _number(item)) is not None]


def _number(item: list[Token]) -> int | None:
    """Return the number of the parameter that an item is, in parentheses or with a name; ``None`` if it is none."""
    inner = item
    while inner:
        if inner[0].text == "(" and inner[-1].text == ")":
            inner = inner[1:-1]
        elif inner[0].kind == "sign" and inner[0].text == "+":
            inner = inner[1:]
        elif len(inner) > 2 and (inner[-2].text == "AS" or _collates(inner)):
            inner = inner[:-2]
        elif len(inner) > 1 and _is_name(inner[-1]) and (inner[-2].kind in ("param", "sign") or _collates(inner[:-1])):
            inner = inner[:-1]  # a name without AS
        else:
            break
    return inner[0].number if len(inner) == 1 and inner[0].kind == "param" else None


def _set(reader: Reader) -> list[Assignment]:
    found: list[Assignment] = []
    for item in _items(reader, _AFTER_SET):
        at = next((place for place, token in enumerate(item) if token.text == "=" and token.kind == "sign"), None)
        if at is None:
            continue
        target, value = item[:at], item[at + 1 :]
        if len(target) == 1:
            found += _row([value], [target[0].name])
        else:  # (a, b) = (?, ?)
            names = Reader(target)
            values = Reader(value)
            if names.take("(") and values.take("(") and not values.is_word("SELECT", "VALUES", "WITH"):
                found += _row(_list(values), _names(names))
    return found


def _items(reader: Reader, ends: frozenset[str]) -> list[list[Token]]:
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


def _list(reader: Reader) -> list[list[Token]]:
    """Return what stands between commas, up to the closing parenthesis."""
    return _items(reader, frozenset())


def _names(reader: Reader) -> list[str]:
    found = [item[0].name if len(item) == 1 else "" for item in _list(reader)]
    reader.take(")")
    return found


def _is_name(token: Token) -> bool:
    return token.kind in ("word", "name", "literal") and token.text not in _OPERATORS


def _collates(item: list[Token]) -> bool:
    return len(item) > 1 and item[-2].text == "COLLATE"


def _row(values: list[list[Token]], columns: list[str] | None) -> list[Assignment]:
    found = []
    for place, value in enumerate(values):
        number = _number(value)
        if number is not None and (columns is None or place < len(columns)):
            found.append(Assignment(number, place if columns is None else columns[place]))
    return found
