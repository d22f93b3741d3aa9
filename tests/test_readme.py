"""The README's Python does what the README says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qwasr_keyvalue.compliance import KeyValueCompliance

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
BACKEND, EMBEDDING = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def _backend() -> Any:
    module = ModuleType("shelf")
    exec(compile(BACKEND, "README.md", "exec"), module.__dict__)
    return module


class TestTheBackendOfTheReadme(KeyValueCompliance):
    @pytest.fixture
    async def backend(self) -> Any:
        (shelf,) = _backend().qwasr_register_backends()
        return await shelf.connect(shelf.Options())


def test_the_backend_of_the_readme_has_about_twenty_lines_of_code() -> None:
    code = [line for line in BACKEND.splitlines() if line.strip() and not line.startswith(("from", "import"))]
    assert len(code) <= 22


async def test_the_embedding_of_the_readme_names_what_there_is() -> None:
    for node in ast.walk(ast.parse(EMBEDDING)):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["*"])
            assert all(hasattr(module, alias.name) for alias in node.names)
