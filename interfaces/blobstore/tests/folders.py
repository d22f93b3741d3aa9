"""What lies in a folder of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def unfinished(path: Path) -> list[Path]:
    return list((path / "store" / ".unfinished").iterdir())
