"""Folders that are written whole or not at all."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["written_whole"]


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
