"""wasi:blobstore for qwasr: what guests import, what backends implement, and two that need no service.

- `protocol`: `Blobstore`, `Container`, `Reader` and `Writer`, which a backend implements; `errors`: what it raises.
- `compliance`: the test class that proves a backend.
- `host`, `values`: the WIT functions; `limits`: their bounds.
- `memory`, `folder`: the embedded backends, `Memory` and `Folder`.
"""

from __future__ import annotations

from qwasr_blobstore.errors import (
    AccessDenied,
    BlobstoreError,
    ContainerExists,
    InvalidRange,
    NoSuchContainer,
    NoSuchObject,
    OutOfSpace,
    TooLarge,
    Unavailable,
)
from qwasr_blobstore.folder import Folder, FolderOptions
from qwasr_blobstore.memory import Memory, MemoryOptions
from qwasr_blobstore.protocol import (
    Blobstore,
    Container,
    ContainerInfo,
    NamePage,
    ObjectId,
    ObjectInfo,
    Reader,
    Writer,
)

__all__ = [
    "AccessDenied",
    "Blobstore",
    "BlobstoreError",
    "Container",
    "ContainerExists",
    "ContainerInfo",
    "Folder",
    "FolderOptions",
    "InvalidRange",
    "Memory",
    "MemoryOptions",
    "NamePage",
    "NoSuchContainer",
    "NoSuchObject",
    "ObjectId",
    "ObjectInfo",
    "OutOfSpace",
    "Reader",
    "TooLarge",
    "Unavailable",
    "Writer",
]
