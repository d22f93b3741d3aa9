"""The C API of the wasmtime wheel, opened through cffi in ABI mode: no compiler.

`wasmtime.h` declares it. Parsing that costs 50 ms, so `python -m tools.abi` did: `_abi.py` is what came of it.

Pointers are declared as integers: cffi converts an ``int`` in 20 ns where a pointer object costs 80. All values live
in one picture of memory, `words`: an array of 64-bit words that begins at address 8, so that the word at address *a*
has the index ``(a >> 3) - 1`` and index *i* has the address ``(i + 1) << 3``. A component value takes four words:
its kind, then up to three words of payload (read from the wheel's own bindings of version 50; `check_layout` proves
it at import).
"""

from __future__ import annotations

import ctypes
import pathlib
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from _cffi_backend import cast, newp, unpack  # `ffi.unpack` is this behind a Python function, at twice the cost

from qwasr.engine import _abi

if TYPE_CHECKING:
    from collections.abc import Callable

ffi: Final = _abi.ffi


def _library_path() -> str:
    root = pathlib.Path(wasmtime.__file__).parent
    return str(next(path for path in root.rglob("_libwasmtime.*")))


lib: Final[Any] = ffi.dlopen(_library_path())
_libc: Final[Any] = ffi.dlopen(None)

chars: Final[Any] = ffi.cast("char *", 8)
_everything: Final = memoryview(ffi.buffer(ffi.cast("char *", 8), 1 << 62))  # a view is half as dear as a cffi pointer
words: Final = _everything.cast("Q")
signed_words: Final[Any] = ffi.cast("int64_t *", 8)
doubles: Final[Any] = ffi.cast("double *", 8)
floats: Final[Any] = ffi.cast("float *", 8)
u32s: Final = _everything.cast("I")
s32s: Final[Any] = ffi.cast("int32_t *", 8)
u16s: Final[Any] = ffi.cast("uint16_t *", 8)
s16s: Final[Any] = ffi.cast("int16_t *", 8)
u8s: Final[Any] = ffi.cast("uint8_t *", 8)
s8s: Final[Any] = ffi.cast("int8_t *", 8)

VALUE_WORDS: Final = 4  # words in one component value
VALUE_BYTES: Final = 32

# A native function that answers `true` for the argument 1: the continuation of a host call that has its answer already.
# `labs(1)` is 1 by the C standard, so an eager answer costs no second trip into Python.
ALWAYS_READY: Final = int(ffi.cast("uintptr_t", ffi.addressof(_libc, "labs")))

_WORD_ARRAY: Final = ffi.typeof("uint64_t[]")
_ADDRESS: Final = ffi.typeof("uintptr_t")
_CHAR_POINTER: Final = ffi.typeof("char *")


def index_of(address: int) -> int:
    """Return the index in `words` of an address."""
    return (address >> 3) - 1


def address_of(index: int) -> int:
    """Return the address of an index in `words`."""
    return (index + 1) << 3


def pointer(managed: Any) -> int:
    """Return the address inside an object of the wasmtime package."""
    return ctypes.cast(managed.ptr(), ctypes.c_void_p).value or 0


def new_words(count: int) -> tuple[Any, int]:
    """Allocate zeroed words; return their owner, to be kept alive, and the index of the first in `words`."""
    owner = newp(_WORD_ARRAY, count)
    return owner, (int(cast(_ADDRESS, owner)) >> 3) - 1


def read_bytes(address: int, size: int) -> bytes:
    """Copy `size` bytes from an address."""
    if size == 0:
        return b""
    return unpack(chars + (address - 8), size)  # type: ignore[return-value]  # of `char` it is bytes


def view(address: int, size: int) -> memoryview:
    """Return a writable view of `size` bytes at an address; it must not outlive them."""
    return memoryview(ffi.buffer(ffi.cast(_CHAR_POINTER, address), size))


def function_address(callback: Any) -> int:
    """Return the address of a cffi callback."""
    return int(ffi.cast("uintptr_t", callback))


def take_error(error: int) -> str:
    """Return the message of a library error and free it."""
    owner, i = new_words(2)
    lib.wasmtime_error_message(error, address_of(i))
    text = read_bytes(owner[1], owner[0]).decode("utf-8", "replace")
    lib.wasm_byte_vec_delete(address_of(i))
    lib.wasmtime_error_delete(error)
    return text


def check(error: int, make: Callable[[str], Exception]) -> None:
    """Raise `make(message)` when a library call returned an error."""
    if error:
        raise make(take_error(error))
