"""Names of any text as names of files: on every disk, of every length, and never outside of their folder.

What is no lower-case letter, digit, ``-`` or ``_`` is percent-encoded, so that two names that differ in case alone are
two on a disk that does not tell case. A long name becomes folders in folders. Each part ends in a percent sign and a
letter that is no hexadecimal digit, which no encoding contains: a folder on the way, a file, a container. So no part is
``..``, ``CON`` or empty, and a file of a short name is never where a longer name needs a folder.

Nobody lists containers, so a container is one part always: of a long name its beginning and its SHA-256.
"""

from __future__ import annotations

import hashlib
from typing import Final

from qwasr_blobstore.limits import MAX_NAME_BYTES, check_name

__all__ = ["FILE", "FOLDER", "container_part", "object_name", "object_parts"]

FOLDER: Final = "%x"
FILE: Final = "%o"
_CONTAINER: Final = "%z"
_HASHED: Final = "%h"

_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_BYTES: Final = [chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in range(256)]
_PART: Final = 200  # characters; disks take 255 bytes, some of them less
_SHOWN: Final = 100  # of a container's long name, for whoever looks into the folder


def object_parts(name: str) -> list[str]:
    """Return the parts of an object's path below its container.

    Raises:
        BlobstoreError: it is no name: it is empty, or too long.
    """
    check_name(name, "an object")
    text = _encode(name)
    pieces = [text[at : at + _PART] for at in range(0, len(text), _PART)]
    return [*(piece + FOLDER for piece in pieces[:-1]), pieces[-1] + FILE]


def object_name(parts: list[str]) -> str:
    """Return the name that the parts are of.

    Raises:
        ValueError: they are of none: somebody else's file.
    """
    text = "".join(part[: -len(FILE)] for part in parts)
    data = bytearray()
    at = 0
    while at < len(text):
        if text[at] == "%":
            data.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            data.append(ord(text[at]))
            at += 1
    name = data.decode()
    if not name or len(data) > MAX_NAME_BYTES or object_parts(name) != parts:
        raise ValueError(name)
    return name


def container_part(name: str) -> str:
    """Return the name of a container's folder.

    Raises:
        BlobstoreError: it is no name: it is empty, or too long.
    """
    check_name(name, "a container")
    text = _encode(name)
    if len(text) <= _PART:
        return text + _CONTAINER
    return text[:_SHOWN] + _HASHED + hashlib.sha256(name.encode()).hexdigest() + _CONTAINER


def _encode(name: str) -> str:
    return "".join([_BYTES[byte] for byte in name.encode()])
