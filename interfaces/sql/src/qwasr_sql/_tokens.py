"""The words of a statement in SQLite's dialect, to find its parameters and what they are written to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qwasr_sql.errors import DoesNotFit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Token", "tokens"]

_TOKEN: Final = re.compile(
    r"""
      (?P<space>   [ \t\n\f\r\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<literal> '(?:[^']|'')*' | [0-9][0-9A-Za-z_.]* | \.[0-9][0-9A-Za-z_]* )
    | (?P<quoted>  "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<param>   \?[0-9]* | [$:@][0-9A-Za-z_$:\u0080-\U0010ffff]+ )
    | (?P<word>    [A-Za-z_\u0080-\U0010ffff][0-9A-Za-z_$\u0080-\U0010ffff]* )
    | (?P<sign>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTES: Final = {'"': '"', "`": "`", "[": "]"}


class Token(NamedTuple):
    """One word of a statement.

    Attributes:
        kind: ``word``, ``name`` for one in quotes, ``param``, ``literal`` or ``sign``.
        text: a word in capitals, a name without its quotes, anything else as it is written.
        name: what it stands for where a name is wanted: a word as it is written, the content of any quotes.
        number: of a parameter, from 1.
    """

    kind: str
    text: str
    name: str = ""
    number: int = 0


def tokens(sql: str) -> list[Token]:
    """Return the words of a statement, without spaces and comments.

    Raises:
        DoesNotFit: a parameter is of another kind than ``?`` and ``?1``, or ``$1``.
    """
    found = list(_scan(sql))
    dollars = [token.text.startswith("$") for token in found if token.kind == "param"]
    if any(dollars) and not all(dollars):
        raise DoesNotFit("a statement has parameters of one kind: ? and ?1, or $1")
    return found


def _scan(sql: str) -> Iterator[Token]:
    last = 0  # the highest number so far: a question mark alone has the next one
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        if kind == "word":
            yield Token("word", text.upper(), text)
        elif kind == "quoted":
            end = _QUOTES[text[0]]
            name = text[1:-1].replace(end + end, end) if end != "]" else text[1:-1]
            yield Token("name", name, name)
        elif kind == "param":
            number = _number(text, last)
            last = max(last, number)
            yield Token("param", text, "", number)
        else:  # SQLite takes a text for a name, too
            yield Token(kind, text, text[1:-1].replace("''", "'") if text[0] == "'" != text else "")


def _number(text: str, last: int) -> int:
    if text == "?":
        return last + 1
    digits = text[1:]
    if text[0] not in "?$" or not (digits.isascii() and digits.isdecimal()) or len(digits) > 6 or int(digits) < 1:
        raise DoesNotFit(f"the parameter {text[:40]} has a name; parameters are ?, ?1 or $1")
    return int(digits)
