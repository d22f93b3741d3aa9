"""The generated declarations of wasmtime's C API."""

from __future__ import annotations

from pathlib import Path

from tools.abi import ABI, generate


def test_the_generated_module_is_what_the_header_gives(tmp_path: Path) -> None:
    generate(tmp_path / "_abi.py")
    assert (tmp_path / "_abi.py").read_text() == ABI.read_text(), "run `python -m tools.abi`"
