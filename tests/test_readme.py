"""The README's Python does what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qwasr_keyvalue.compliance import KeyValueCompliance
from tools.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
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


def test_the_embedding_of_the_readme_serves(guest_path: Callable[[str], Path]) -> None:
    guest_path("keyvalue")
    port = free_port()
    environment = os.environ | {"HTTP_ADDR": f"127.0.0.1:{port}"}
    process = subprocess.Popen([sys.executable, "-c", EMBEDDING], cwd=ROOT, env=environment)
    try:
        assert first_answer(f"http://127.0.0.1:{port}/", process) == b"visitor 1\n"
    finally:
        process.terminate()
        process.wait(30)


def first_answer(url: str, process: subprocess.Popen[bytes]) -> bytes:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return bytes(answer.read())
        except OSError:  # it does not listen yet
            time.sleep(0.05)
    raise AssertionError(process.returncode)
