"""Writes `kernel/src/qwasr/engine/_abi.py`: what cffi makes of the declarations in `wasmtime.h` beside it.

Parsing C when the engine is imported would take a tenth of a start. Run `python -m tools.abi` after a change of the
header; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cffi import FFI

__all__ = ["ABI", "generate"]

_ENGINE: Final = Path(__file__).resolve().parent.parent / "kernel" / "src" / "qwasr" / "engine"
ABI: Final = _ENGINE / "_abi.py"
_HEADER: Final = _ENGINE / "wasmtime.h"


def generate(module: Path) -> None:
    """Write the module to a file, unless it holds that text already."""
    ffi = FFI()
    ffi.cdef(_HEADER.read_text("utf-8"))
    ffi.set_source("qwasr.engine._abi", None)
    ffi.emit_python_code(str(module))


if __name__ == "__main__":
    generate(ABI)
