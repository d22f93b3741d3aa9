"""A component before there is an engine: its file read, told from other files, and given the digest that names it.

Nothing of the engine is imported here, so that a file can be read and hashed while the engine is.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from qwasr.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

__all__ = ["MAX_COMPONENT_BYTES", "Source", "classify", "digest_of"]

MAX_COMPONENT_BYTES: Final = 512 * 1024 * 1024
_MAGIC: Final = b"\0asm"
_HEADER_BYTES: Final = 8
_CORE_VERSION: Final = b"\x01\x00\x00\x00"
_COMPONENT_LAYER: Final = b"\x01\x00"
_ELF: Final = b"\x7fELF"
_TEXT: Final = re.compile(rb"\s*(?:;;|\(;|\()")
_BLOCK_BYTES: Final = 1024 * 1024  # large, since each block asks for the interpreter's lock, and small beside a file


@dataclass(frozen=True, slots=True)
class Source:
    """A component, component text or a precompiled component: a file, or bytes.

    Attributes:
        name: what messages call the component.
        kind: what `classify` says.
        digest: of the content.
        size_bytes: of the content.
        held: the content, or for a component the file with it: it is needed only when the cache has no artefact of it.
    """

    name: str
    kind: str
    digest: bytes
    size_bytes: int
    held: bytes | Path

    @classmethod
    def of(cls, source: str | Path | bytes, name: str | None = None) -> Self:
        """Look at a file or bytes. Blocks: reading a large file takes tens of milliseconds, so call it in a thread.

        Args:
            source: the path, or the content.
            name: what messages call it; the file's stem without.

        Raises:
            ComponentError: it cannot be read, is too large, or is something else; the message says what.
        """
        if isinstance(source, bytes):
            return cls._of(source, name or "component", name or "component")
        path = Path(source)
        with _opened(path) as file:
            head = file.read(_HEADER_BYTES)
            if head.startswith(_MAGIC) and head[6:] == _COMPONENT_LAYER:
                file.seek(0)
                digest, size_bytes = _digest_of_file(file, path)
                return cls(name or path.stem, "component", digest, size_bytes, path)
        return cls._of(_read(path), name or path.stem, str(path))

    @classmethod
    def _of(cls, data: bytes, name: str, shown: str) -> Self:
        return cls(name, classify(data, shown), digest_of(data), len(data), data)

    def content(self) -> bytes:
        """Return the content, read again unless it is held; it is another one if the file was replaced meanwhile.

        Raises:
            ComponentError: the file cannot be read any more, or is too large now.
        """
        return _read(self.held) if isinstance(self.held, Path) else self.held


def classify(data: bytes, name: str) -> str:
    """Return ``"component"``, ``"text"`` or ``"precompiled"``.

    Raises:
        ComponentError: it is something else; the message says what.
    """
    if not data:
        raise ComponentError(f"{name} is empty")
    if len(data) > MAX_COMPONENT_BYTES:
        raise _too_large(name)
    if data.startswith(_ELF):
        return "precompiled"
    if data.startswith(_MAGIC):
        if len(data) < _HEADER_BYTES:
            raise ComponentError(f"{name} is truncated: it ends inside the WebAssembly header")
        if data[4:8] == _CORE_VERSION:
            raise ComponentError(
                f"{name} is a core WebAssembly module, not a component; "
                "build it for a WASI 0.2 target or wrap it with `wasm-tools component new`"
            )
        if data[6:8] != _COMPONENT_LAYER:
            raise ComponentError(f"{name} is WebAssembly of an unknown layer; a component is expected")
        return "component"
    if _TEXT.match(data):
        return "text"
    raise ComponentError(
        f"{name} is not WebAssembly: neither a component, nor component text, nor a precompiled component"
    )


def digest_of(data: bytes) -> bytes:
    """Return the digest that names a content."""
    return hashlib.blake2b(data).digest()


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except FileNotFoundError:
        raise ComponentError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise ComponentError(f"{path} is a folder; a component file is expected") from None
    except OSError as error:
        raise ComponentError(f"{path} cannot be read: {error.strerror}") from None


def _digest_of_file(file: FileIO, path: Path) -> tuple[bytes, int]:
    """Return the digest and the size of a file's content, without ever holding all of it."""
    digest, size_bytes = hashlib.blake2b(), 0
    block = memoryview(bytearray(_BLOCK_BYTES))
    while count := file.readinto(block):
        size_bytes += count
        if size_bytes > MAX_COMPONENT_BYTES:
            raise _too_large(path)
        digest.update(block[:count])
    return digest.digest(), size_bytes


def _read(path: Path) -> bytes:
    with _opened(path) as file:
        pieces, size_bytes = [], 0
        while piece := file.read(_BLOCK_BYTES):  # in pieces, since a device or a pipe has no size to look at before
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > MAX_COMPONENT_BYTES:
                raise _too_large(path)
    return b"".join(pieces)


def _too_large(name: str | Path) -> ComponentError:
    return ComponentError(f"{name} is larger than the {MAX_COMPONENT_BYTES} bytes that a component may have")
