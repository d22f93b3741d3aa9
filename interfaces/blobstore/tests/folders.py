"""What lies in a folder of containers, and what its store still does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr_blobstore import Folder


def unfinished(path: Path) -> list[Path]:
    return list((path / "store" / ".unfinished").iterdir())


def open_files() -> int:
    """Return how many descriptors are open; 0 where the system does not tell."""
    told = Path("/proc/self/fd")
    return len(list(told.iterdir())) if told.is_dir() else 0


async def settled(store: Folder) -> None:
    """Return when what was given up is deleted: when all threads stand here at once, none does anything else."""
    threads = store._threads._pool._max_workers
    all_here = threading.Barrier(threads)
    await asyncio.gather(*(store._threads.run(all_here.wait, 10) for _ in range(threads)))
