"""wasi:keyvalue for qwasr: what guests import, what backends implement, a store in memory and one in a file.

- `protocol`: `KeyValue` and `Bucket`, which a backend implements; `errors`: what it raises.
- `simple`: a whole backend from four methods.
- `compliance`: the test class that proves a backend.
- `host`, `draft`: the WIT functions of the two drafts in use; `limits`: their bounds.
- `default`, `sqlite`: the embedded backends, `Memory` and `Sqlite`.
"""

from __future__ import annotations

from qwasr_keyvalue.default import Memory, MemoryOptions
from qwasr_keyvalue.errors import (
    AccessDenied,
    CounterOverflow,
    InvalidCursor,
    KeyValueError,
    NoSuchStore,
    NotANumber,
    OutOfSpace,
    TooLarge,
    Unavailable,
)
from qwasr_keyvalue.protocol import Bucket, Change, KeyPage, KeyValue, Snapshot
from qwasr_keyvalue.simple import Entry, SimpleKeyValue
from qwasr_keyvalue.sqlite import Sqlite, SqliteOptions

__all__ = [
    "AccessDenied",
    "Bucket",
    "Change",
    "CounterOverflow",
    "Entry",
    "InvalidCursor",
    "KeyPage",
    "KeyValue",
    "KeyValueError",
    "Memory",
    "MemoryOptions",
    "NoSuchStore",
    "NotANumber",
    "OutOfSpace",
    "SimpleKeyValue",
    "Snapshot",
    "Sqlite",
    "SqliteOptions",
    "TooLarge",
    "Unavailable",
]
