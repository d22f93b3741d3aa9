"""The memory that a store shares with the library during its calls: errors, handles, arguments, results."""

from __future__ import annotations

from typing import Final

from qwasr.engine._capi import VALUE_WORDS, address_of, new_words, view

__all__ = ["VALUES", "Scratch"]

VALUES: Final = 4  # arguments and result of an ordinary export
_HANDLE_WORDS: Final = 4  # an instance or a function, opaque


class Scratch:
    """One store's; when the store goes, the next one takes it.

    Attributes:
        words: the library's error of the last call, 0 if there was none; the rest is the library's.
        error: the address of that word.
        instance: the address of the instance.
        function: the address of the function that is called.
        values: the word index of the first argument. Every value here that is not in use has the kind 0.
    """

    __slots__ = ("_owner", "_values_owner", "error", "function", "instance", "values", "words")

    def __init__(self) -> None:
        count = 1 + 2 * _HANDLE_WORDS + VALUES * VALUE_WORDS
        self._owner, first = new_words(count)
        self.error = address_of(first)
        self.instance = address_of(first + 1)
        self.function = address_of(first + 1 + _HANDLE_WORDS)
        self.values = first + 1 + 2 * _HANDLE_WORDS
        self.words = view(self.error, 8).cast("Q")

    def grow(self, count: int) -> None:
        """Make room for more values than `VALUES`."""
        self._values_owner, self.values = new_words(count * VALUE_WORDS)
