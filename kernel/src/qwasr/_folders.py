"""Folders that are written whole or not at all, and folders that nobody else can write to."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_private", "written_whole"]


def is_private(folder: Path) -> bool:
    """Return whether this user can write to a folder, made if it is not there, and nobody else can; blocking."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            info = folder.stat()
    except OSError:
        return False
    return info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give the path of a folder that becomes `target` when the block ends, and is gone when the block fails.

    Args:
        target: the folder, which is not there yet.

    Yields:
        Where the block makes the folder and writes into it.

    Raises:
        ConfigurationError: it is there already, or cannot be written.
    """
    if target.exists():
        raise ConfigurationError(f"{target} is there already")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
            folder = Path(scratch) / target.name
            yield folder
            folder.rename(target)
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
