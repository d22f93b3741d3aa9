"""The C API of the wasmtime wheel, opened through cffi in ABI mode: no compiler, no generated code.

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

import cffi
import wasmtime
from _cffi_backend import cast, newp, unpack  # `ffi.unpack` is this behind a Python function, at twice the cost

if TYPE_CHECKING:
    from collections.abc import Callable

ffi: Final = cffi.FFI()
ffi.cdef("""
uintptr_t wasmtime_store_new(uintptr_t engine, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_store_context(uintptr_t store);
void wasmtime_store_delete(uintptr_t store);
void wasmtime_store_limiter(uintptr_t store, int64_t memory, int64_t table_elements, int64_t instances, int64_t tables,
                            int64_t memories);
void wasmtime_context_set_epoch_deadline(uintptr_t context, uint64_t ticks);
uintptr_t wasmtime_context_epoch_deadline_async_yield_and_update(uintptr_t context, uint64_t ticks);
void wasmtime_engine_increment_epoch(uintptr_t engine);
uintptr_t wasmtime_context_set_fuel(uintptr_t context, uint64_t fuel);

uintptr_t wasmtime_component_linker_new(uintptr_t engine);
void wasmtime_component_linker_delete(uintptr_t linker);
uintptr_t wasmtime_component_linker_root(uintptr_t linker);
uintptr_t wasmtime_component_linker_define_unknown_imports_as_traps(uintptr_t linker, uintptr_t component);
uintptr_t wasmtime_component_linker_instance_add_instance(uintptr_t parent, const char *name, size_t length,
                                                          uintptr_t *child);
uintptr_t wasmtime_component_linker_instance_add_func(uintptr_t parent, const char *name, size_t length,
    uintptr_t callback, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_component_linker_instance_add_func_async(uintptr_t parent, const char *name, size_t length,
    uintptr_t callback, uintptr_t data, uintptr_t finalizer);
uintptr_t wasmtime_component_linker_instance_add_resource(uintptr_t parent, const char *name, size_t length,
    uintptr_t type, uintptr_t destructor, uintptr_t data, uintptr_t finalizer);
void wasmtime_component_linker_instance_delete(uintptr_t instance);

uintptr_t wasmtime_component_linker_instantiate_async(uintptr_t linker, uintptr_t context, uintptr_t component,
                                                      uintptr_t instance, uintptr_t error);
bool wasmtime_component_instance_get_func(uintptr_t instance, uintptr_t context, uintptr_t index, uintptr_t func);
uintptr_t wasmtime_component_func_call_async(uintptr_t func, uintptr_t context, uintptr_t args, size_t args_count,
                                             uintptr_t results, size_t results_count, uintptr_t error);
bool wasmtime_call_future_poll(uintptr_t future);
void wasmtime_call_future_delete(uintptr_t future);

uintptr_t wasmtime_error_new(const char *message);
void wasmtime_error_message(uintptr_t error, uintptr_t out);
void wasmtime_error_delete(uintptr_t error);

void wasm_byte_vec_new(uintptr_t out, size_t size, const char *data);
void wasm_byte_vec_delete(uintptr_t vector);
uintptr_t wasmtime_component_val_new(uintptr_t value);
void wasmtime_component_val_delete(uintptr_t value);
void wasmtime_component_val_clone(uintptr_t source, uintptr_t target);
void wasmtime_component_vallist_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_vallist_delete(uintptr_t list);
void wasmtime_component_valtuple_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_valtuple_delete(uintptr_t tuple);
void wasmtime_component_valrecord_new_uninit(uintptr_t out, size_t size);
void wasmtime_component_valrecord_delete(uintptr_t record);
void wasmtime_component_valflags_new_uninit(uintptr_t out, size_t size);

uintptr_t wasmtime_component_resource_type_new_host(uint32_t type);
void wasmtime_component_resource_type_delete(uintptr_t type);
uintptr_t wasmtime_component_resource_host_new(bool owned, uint32_t rep, uint32_t type);
uintptr_t wasmtime_component_resource_host_to_any(uintptr_t context, uintptr_t host, uintptr_t out);
uint32_t wasmtime_component_resource_host_rep(uintptr_t host);
void wasmtime_component_resource_host_delete(uintptr_t host);
uintptr_t wasmtime_component_resource_any_to_host(uintptr_t context, uintptr_t any, uintptr_t out);
uintptr_t wasmtime_component_resource_any_clone(uintptr_t any);
void wasmtime_component_resource_any_delete(uintptr_t any);

void wasmtime_config_async_stack_size_set(uintptr_t config, uint64_t bytes);
void wasmtime_config_concurrency_support_set(uintptr_t config, bool enable);
void wasmtime_config_wasm_component_model_async_set(uintptr_t config, bool enable);
void wasmtime_pooling_allocation_strategy_set(uintptr_t config, uintptr_t pool);
uintptr_t wasmtime_pooling_allocation_config_new(void);
void wasmtime_pooling_allocation_config_delete(uintptr_t pool);
void wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_table_keep_resident_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_total_component_instances_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_core_instances_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_memories_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_tables_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_stacks_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_total_gc_heaps_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_core_instances_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memories_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_tables_per_component_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memories_per_module_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_tables_per_module_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_max_memory_size_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_max_unused_warm_slots_set(uintptr_t pool, uint32_t count);
void wasmtime_pooling_allocation_config_table_elements_set(uintptr_t pool, size_t count);
void wasmtime_pooling_allocation_config_max_core_instance_size_set(uintptr_t pool, size_t bytes);
void wasmtime_pooling_allocation_config_max_component_instance_size_set(uintptr_t pool, size_t bytes);

long labs(long);
""")


def _library_path() -> str:
    root = pathlib.Path(wasmtime.__file__).parent
    return str(next(path for path in root.rglob("_libwasmtime.*")))


lib: Final[Any] = ffi.dlopen(_library_path())
_libc: Final[Any] = ffi.dlopen(None)

chars: Final[Any] = ffi.cast("char *", 8)
words: Final[Any] = ffi.cast("uint64_t *", 8)
signed_words: Final[Any] = ffi.cast("int64_t *", 8)
doubles: Final[Any] = ffi.cast("double *", 8)
floats: Final[Any] = ffi.cast("float *", 8)
u32s: Final[Any] = ffi.cast("uint32_t *", 8)
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
