"""How many of each product were sold, in `wasi:keyvalue`."""

from __future__ import annotations

from wit_world.imports import atomics, batch, store


def add(product: str, count: int) -> None:
    """Counts what was sold."""
    with store.open("sold") as bucket:
        atomics.increment(bucket, product, count)


def read(names: list[str]) -> dict[str, int]:
    """How many were sold of each, in one call."""
    with store.open("sold") as bucket:
        found = dict(entry for entry in batch.get_many(bucket, names) if entry is not None)
    return {name: int(found.get(name, b"0")) for name in names}
