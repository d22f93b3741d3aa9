"""Files out of packages: fetched once, and only the ones that are meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tools import packages
from tools.packages import PackageFile
from tools.processes import BuildError

CONTENT = b"\0asm"


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(packages, "BUILD", tmp_path)
    return []


def package_file(fetched: list[str], content: bytes) -> PackageFile:
    def fetch(package: str, path: str, folder: Path) -> Path:
        fetched.append(package)
        (folder / "file").write_bytes(content)
        return folder / "file"

    return PackageFile(fetch, "tool==1", "lib/tool.wasm", hashlib.sha256(CONTENT).hexdigest())


def test_a_file_is_fetched_once(fetched: list[str]) -> None:
    file = package_file(fetched, CONTENT)
    assert file.get() == file.get()
    assert file.get().read_bytes() == CONTENT
    assert fetched == ["tool==1"]


def test_another_file_than_the_one_meant_is_an_error_and_not_kept(fetched: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(BuildError, match=r"lib/tool.wasm of tool==1 is not the file that it was"):
            package_file(fetched, CONTENT + b"!").get()
    assert len(fetched) == 2
