"""wasi:http/types.fields: headers and trailers, a multi-map whose names have no case.

Names that a message got from the wire are lower case, as HTTP/2 has them; names that a guest sets keep their case.
The names that frame a message or belong to one connection are forbidden (RFC 9110 section 7.6.1 and `host`, which is
a request's authority), and are not among the fields of an incoming message either: what a guest reads it may pass on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwasr.errors import GuestTrap
from qwasr.hosting import HostResource
from qwasr.values import Variant, WitError
from qwasr_http.held import MAX_HELD_BYTES, ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FORBIDDEN", "MAX_FIELDS_BYTES", "Entry", "Fields", "entries_from_wire", "fields_size"]

Entry = tuple[str, str, bytes]
"""A field: its name in lower case, its name as it was given, its value."""

FORBIDDEN: Final = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)

MAX_FIELDS_BYTES: Final = 128 * 1024
"""How much one `fields` may hold; more is a trap, since the WIT has no error for it."""

_FREE_BYTES: Final = 4 * 1024  # fields that weigh less are not counted: ten thousand of them, the most, weigh 40 MiB
_ENTRY_WEIGHT_BYTES: Final = 224  # of an entry in memory, beside its bytes: a tuple, two texts, the bytes' own head
_ENTRY_OVERHEAD_BYTES: Final = 32  # what an entry costs beside its bytes, as HTTP/2 counts it (RFC 9113, 6.5.2)
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,1024}")  # token, RFC 9110 section 5.6.2
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 section 5.5

_INVALID_SYNTAX: Final = Variant("invalid-syntax")
_FORBIDDEN: Final = Variant("forbidden")
_IMMUTABLE: Final = Variant("immutable")


class _Weighed(list[Entry]):
    """A list of entries that counts against `MAX_HELD_BYTES` as long as anyone has it, be it a message that is sent."""

    __slots__ = ("_ledger", "_weight")

    def __init__(self, entries: Iterable[Entry], weight: int) -> None:
        super().__init__(entries)
        self._weight = 0
        self._ledger = ledger()
        self.weigh(weight)

    def weigh(self, weight: int) -> None:
        """Count the weight that the entries have now."""
        self._ledger.held += weight - self._weight
        self._weight = weight
        if self._ledger.held > MAX_HELD_BYTES:
            message = f"all wasi:http/types.fields of a call hold more than {MAX_HELD_BYTES} bytes"
            raise GuestTrap(message)

    def __del__(self) -> None:
        self._ledger.held -= self._weight


class Fields(HostResource):
    """Headers or trailers.

    `entries_` and `immutable` are the host's; a guest has the methods.
    """

    __slots__ = ("_size", "entries_", "immutable")

    def __init__(self) -> None:
        self.entries_: list[Entry] = []
        self.immutable = False
        self._size = 0

    @classmethod
    def of(cls, entries: list[Entry], *, immutable: bool) -> Fields:
        """Return fields over the list itself, which no one else may change."""
        fields = cls.__new__(cls)
        fields.entries_ = entries
        fields.immutable = immutable
        fields._size = 0 if immutable else fields_size(entries)
        if not immutable:
            fields._weigh()
        return fields

    @staticmethod
    def from_list(entries: list[tuple[str, bytes]]) -> Fields:
        """Return fields with these entries; `invalid-syntax` or `forbidden` when one of them cannot be."""
        fields = Fields()
        fields._add([(_checked_name(name), name, _checked_value(value)) for name, value in entries])
        return fields

    def get(self, name: str) -> list[bytes]:
        """Return all values of the name in their order; none for a name that cannot be."""
        key = _key(name)
        return [value for other, _, value in self.entries_ if other == key]

    def has(self, name: str) -> bool:
        """Say whether there is a value of the name."""
        key = _key(name)
        return any(other == key for other, _, _ in self.entries_)

    def set(self, name: str, value: list[bytes]) -> None:
        """Replace all values of the name."""
        self._check_mutable()
        key = _checked_name(name)
        added = [(key, name, _checked_value(one)) for one in value]
        self._remove(key)
        self._add(added)

    def delete(self, name: str) -> None:
        """Remove all values of the name."""
        self._check_mutable()
        self._remove(_checked_name(name))

    def append(self, name: str, value: bytes) -> None:
        """Add a value to those of the name."""
        self._check_mutable()
        self._add([(_checked_name(name), name, _checked_value(value))])

    def entries(self) -> list[tuple[str, bytes]]:
        """Return all names and values in the order in which they are sent."""
        return [(name, value) for _, name, value in self.entries_]

    def clone(self) -> Fields:
        """Return a copy that may be changed."""
        return Fields.of(self.entries_.copy(), immutable=False)

    def _check_mutable(self) -> None:
        if self.immutable:
            raise WitError(_IMMUTABLE)

    def _add(self, added: list[Entry]) -> None:
        self._size += fields_size(added)
        if self._size > MAX_FIELDS_BYTES:
            message = f"wasi:http/types.fields hold more than {MAX_FIELDS_BYTES} bytes"
            raise GuestTrap(message)
        self.entries_.extend(added)
        self._weigh()

    def _remove(self, key: str) -> None:
        kept = [entry for entry in self.entries_ if entry[0] != key]
        if len(kept) != len(self.entries_):
            self.entries_ = kept
            self._size = fields_size(kept)
            self._weigh()

    def _weigh(self) -> None:
        weight = self._size + _ENTRY_WEIGHT_BYTES * len(self.entries_)
        if weight > _FREE_BYTES:
            if isinstance(self.entries_, _Weighed):
                self.entries_.weigh(weight)
            else:
                self.entries_ = _Weighed(self.entries_, weight)


def fields_size(entries: Iterable[Entry]) -> int:
    """Return what the entries count against `MAX_FIELDS_BYTES`."""
    return sum(len(key) + len(value) + _ENTRY_OVERHEAD_BYTES for key, _, value in entries)


def entries_from_wire(raw_headers: Iterable[tuple[bytes, bytes]]) -> list[Entry]:
    """Return the fields of a message that was received, without those that are for one connection only.

    Args:
        raw_headers: names and values as received; the parser has checked their syntax.
    """
    entries = []
    named: set[str] = set()
    for raw_name, value in raw_headers:
        name = raw_name.decode("latin-1").lower()
        if name not in FORBIDDEN:
            entries.append((name, name, value))
        elif name == "connection":
            named.update(option.strip().lower() for option in value.decode("latin-1").split(","))
    if named:
        return [entry for entry in entries if entry[0] not in named]
    return entries


def _key(name: str) -> str:
    return name.lower() if name.isascii() else ""  # beyond ASCII `lower` would make letters of other characters


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise WitError(_INVALID_SYNTAX)
    key = name.lower()
    if key in FORBIDDEN:
        raise WitError(_FORBIDDEN)
    return key


def _checked_value(value: bytes) -> bytes:
    if _BAD_VALUE.search(value) is not None:
        raise WitError(_INVALID_SYNTAX)
    return value
