"""Buckets for the rules."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import Bucket, KeyPage, KeyValue

__all__ = ["all_keys", "fresh_bucket", "fresh_name", "pages"]


def fresh_name() -> str:
    """Return a bucket's name that nobody else uses."""
    return f"compliance-{secrets.token_hex(8)}"


async def fresh_bucket(backend: KeyValue) -> Bucket:
    """Open a bucket that nobody else uses."""
    return await backend.open_bucket(fresh_name())


async def pages(bucket: Bucket) -> list[KeyPage]:
    """Return every page of a bucket's keys."""
    found = [await bucket.list_keys(None)]
    while found[-1].cursor is not None:
        found.append(await bucket.list_keys(found[-1].cursor))
    return found


async def all_keys(bucket: Bucket) -> list[str]:
    """Return every key of a bucket, in the order of its pages."""
    return [key for page in await pages(bucket) for key in page.keys]
