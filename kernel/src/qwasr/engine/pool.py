"""The pooling allocator: instances in slots that exist already.

A small guest is instantiated three times faster from a pool. The pool reserves address space for all slots at once, and
the library aborts the process where that is refused (`ulimit -v`, some containers). So the reservation is tried here
first, and a smaller one, and none, are the fallbacks.
"""

from __future__ import annotations

import logging
import mmap
import os
from dataclasses import dataclass
from typing import Final

from qwasr.engine._capi import lib

__all__ = ["Layout", "choose_layout", "make_pool"]

_log = logging.getLogger("qwasr.engine")

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20
_KIB: Final = 1 << 10
STACK_BYTES: Final = 8 * _MIB  # host functions run on the guest's fiber: below 8 MiB Python 3.12 and 3.13 can abort
TABLE_ELEMENTS: Final = 20_000
_ELEMENT_BYTES: Final = 8
_MEMORIES_PER_GUEST: Final = 2
_TABLES_PER_GUEST: Final = 4
_CORE_INSTANCES_PER_GUEST: Final = 40
_KEEP_RESIDENT_BYTES: Final = 512 * _KIB  # zeroed in place instead of given back; 256 KiB to 1 MiB measured best
_HEADROOM_BYTES: Final = (
    _GIB  # the rest of the process: where a compiler thread's stack is refused the library aborts, too
)
_MAX_METADATA_BYTES: Final = 16 * _MIB  # of one instance, native bookkeeping


@dataclass(frozen=True, slots=True)
class Layout:
    """How linear memories lie in address space.

    Attributes:
        pooled: whether there is a pool.
        reservation_bytes: address space of one memory; 4 GiB lets compiled code drop its bounds checks.
        guard_bytes: unmapped space behind it.
        concurrency: how many guests the pool holds.
        memory_bytes: the most one memory may grow to.
        table_elements: the most one table may grow to.
    """

    pooled: bool
    reservation_bytes: int
    guard_bytes: int
    concurrency: int
    memory_bytes: int
    table_elements: int = TABLE_ELEMENTS

    @property
    def total_bytes(self) -> int:
        """The address space that the pool reserves, in bytes."""
        memories = self.concurrency * _MEMORIES_PER_GUEST * (self.reservation_bytes + self.guard_bytes)
        tables = self.concurrency * _TABLES_PER_GUEST * self.table_elements * _ELEMENT_BYTES
        stacks = self.concurrency * (STACK_BYTES + mmap.PAGESIZE)
        return memories + self.guard_bytes + tables + stacks

    @property
    def key(self) -> str:
        """What compiled code depends on, for the cache key."""
        return f"reservation={self.reservation_bytes} guard={self.guard_bytes}"


def can_reserve(size_bytes: int) -> bool:
    """Return whether the kernel grants this much address space to the process, without touching memory."""
    if os.name != "posix":
        return False
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        mapping = mmap.mmap(-1, size_bytes, flags=flags, prot=0)
    except (OSError, ValueError, OverflowError):
        return False
    mapping.close()
    return True


def choose_layout(concurrency: int, memory_bytes: int, table_elements: int = TABLE_ELEMENTS) -> Layout:
    """Return the best layout that this process may have.

    Args:
        concurrency: how many guests may be alive at once.
        memory_bytes: the most one linear memory may grow to.
        table_elements: the most one table may grow to.
    """
    page_aligned = -(-memory_bytes // (64 * _KIB)) * 64 * _KIB
    candidates = (
        Layout(True, max(4 * _GIB, page_aligned), 32 * _MIB, concurrency, page_aligned, table_elements),
        Layout(True, page_aligned, 64 * _KIB, concurrency, page_aligned, table_elements),
    )
    for layout in candidates:
        if can_reserve(layout.total_bytes + layout.total_bytes // 16 + _HEADROOM_BYTES):
            return layout
        _log.warning(
            "no address space for a pool of %d guests (%.1f GiB); trying a smaller one (see ulimit -v)",
            concurrency,
            layout.total_bytes / _GIB,
        )
    _log.warning("instantiating without a pool: slower, but safe")
    return unpooled(memory_bytes)


def unpooled(memory_bytes: int) -> Layout:
    """Return the layout without a pool; a memory reserves just what it may grow to."""
    page_aligned = -(-memory_bytes // (64 * _KIB)) * 64 * _KIB
    return Layout(False, page_aligned, 64 * _KIB, 0, page_aligned)


def make_pool(config: int, layout: Layout) -> None:
    """Set the pooling strategy of a configuration (its address) for a layout."""
    count = layout.concurrency
    pool = lib.wasmtime_pooling_allocation_config_new()
    prefix = "wasmtime_pooling_allocation_config_"
    for name, value in (
        ("total_component_instances", count),
        ("total_core_instances", count * _CORE_INSTANCES_PER_GUEST),
        ("total_memories", count * _MEMORIES_PER_GUEST),
        ("total_tables", count * _TABLES_PER_GUEST),
        ("total_stacks", count),
        ("total_gc_heaps", 0),
        ("max_core_instances_per_component", _CORE_INSTANCES_PER_GUEST),
        ("max_memories_per_component", _MEMORIES_PER_GUEST),
        ("max_tables_per_component", _TABLES_PER_GUEST),
        ("max_memories_per_module", _MEMORIES_PER_GUEST),
        ("max_tables_per_module", _TABLES_PER_GUEST),
        ("table_elements", layout.table_elements),
        ("max_memory_size", layout.memory_bytes),
        ("max_core_instance_size", _MAX_METADATA_BYTES),
        ("max_component_instance_size", _MAX_METADATA_BYTES),
        ("linear_memory_keep_resident", _KEEP_RESIDENT_BYTES),
        ("table_keep_resident", _KEEP_RESIDENT_BYTES),
        ("max_unused_warm_slots", count),
    ):
        getattr(lib, f"{prefix}{name}_set")(pool, value)
    lib.wasmtime_pooling_allocation_strategy_set(config, pool)
    lib.wasmtime_pooling_allocation_config_delete(pool)
