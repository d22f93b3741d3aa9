"""What the tests of the encrypted file have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwasr_vault._vault_file import VaultFile

KEY = bytes(range(32))


def opened(path: Path, *, key: bytes = KEY, **more: Any) -> VaultFile:
    """Open a vault, or make it."""
    return VaultFile(path, key, lock_wait_s=0.1, **more)


def put(file: VaultFile, name: str, value: bytes, locker: str = "locker") -> None:
    """Set a secret."""

    def work(entries: dict[str, dict[str, bytes]]) -> bool:
        entries.setdefault(locker, {})[name] = value
        return True

    file.change(work)


def generation_of(path: Path) -> Path:
    """The file beside a vault that holds its generation."""
    return path.with_name(f"{path.name}.generation")


# In functions of their own, since a test that is a coroutine does well not to touch the disk.


def content(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def move_aside(path: Path) -> None:
    path.rename(path.with_name("aside"))


def move_back(path: Path) -> None:
    path.with_name("aside").rename(path)


def exists(path: Path) -> bool:
    return path.exists()


def make_folder(path: Path) -> None:
    path.mkdir()
