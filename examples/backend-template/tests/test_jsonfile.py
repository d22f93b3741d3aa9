"""The backend keeps every rule of wasi:keyvalue, and its entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jsonfile_backend import JsonFile, JsonFileOptions
from qwasr_keyvalue.compliance import KeyValueCompliance

if TYPE_CHECKING:
    from pathlib import Path


class TestJsonFile(KeyValueCompliance):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> JsonFile:
        return await JsonFile.connect(JsonFileOptions(path=tmp_path / "store.json"))


async def test_entries_outlive_the_process(tmp_path: Path) -> None:
    options = JsonFileOptions(path=tmp_path / "store.json")
    await (await (await JsonFile.connect(options)).open_bucket("b")).set("key", b"\x00value")
    assert await (await (await JsonFile.connect(options)).open_bucket("b")).get("key") == b"\x00value"
