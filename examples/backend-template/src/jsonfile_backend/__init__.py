"""A keyvalue backend: every entry in one JSON file."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from qwasr.hooks import hookimpl
from qwasr.options import ConnectOptions, env
from qwasr_keyvalue import Entry, SimpleKeyValue

KERNEL_API = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFileOptions(ConnectOptions):
    """Where the file is."""

    path: Path = env("JSONFILE_PATH", default=Path("store.json"), help="the file that holds every entry")


class JsonFile(SimpleKeyValue):
    """Keys and values in a JSON file that one process reads once and writes after each change."""

    name, provides, schemes, Options = "jsonfile", ("keyvalue",), (), JsonFileOptions

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.buckets = json.loads(path.read_text()) if path.exists() else {}

    @classmethod
    async def connect(cls, options: JsonFileOptions) -> Self:
        """Read the file."""
        return await asyncio.to_thread(cls, options.path)

    async def load(self, bucket: str, key: str) -> Entry | None:
        """Return an entry."""
        stored = self.buckets.get(bucket, {}).get(key)
        return Entry(b64decode(stored[0]), stored[1]) if stored else None

    async def save(self, bucket: str, key: str, entry: Entry) -> None:
        """Set an entry."""
        self.buckets.setdefault(bucket, {})[key] = (b64encode(entry.value).decode(), entry.expires_at_s)

    async def remove(self, bucket: str, key: str) -> None:
        """Remove an entry."""
        del self.buckets[bucket][key]

    async def names(self, bucket: str, after: str | None, limit: int) -> list[str]:
        """Return a page of keys."""
        return sorted(key for key in self.buckets.get(bucket, {}) if after is None or key > after)[:limit]

    async def commit(self) -> None:
        """Write the file, whole or not at all."""
        new = self.path.with_name(f"{self.path.name}.new")
        await asyncio.to_thread(new.write_text, json.dumps(self.buckets))
        new.replace(self.path)


@hookimpl
def qwasr_register_backends() -> list[type[JsonFile]]:
    """Register the backend; the entry point in pyproject.toml names this module."""
    return [JsonFile]
