"""The program of docs/vault.md does what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from interfaces.vault.tests.files import KEY, opened
from qwasr_vault import EnvironmentOptions, FileOptions
from qwasr_vault.memory import MemoryOptions

PAGE = Path(__file__).resolve().parents[3] / "docs" / "vault.md"


def test_the_program_of_the_page_sets_a_secret_beside_others_that_have_the_file_open(tmp_path: Path) -> None:
    program = next(code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "argv" in code)
    (tmp_path / "put.py").write_text(program)
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    file = opened(tmp_path / "vault")
    environ = {**os.environ, "VAULT_URL": "file:///vault", "VAULT_KEY_FILE": "key"}
    command = [sys.executable, "put.py", "billing", "api-key"]
    subprocess.run(command, cwd=tmp_path, env=environ, input=b"open sesame", check=True)
    assert file.read() == {"billing": {"api-key": b"open sesame"}}


def test_the_messages_of_the_page_are_those_of_the_code() -> None:
    source = "".join(path.read_text() for path in (PAGE.parents[1] / "interfaces/vault/src/qwasr_vault").glob("_*.py"))
    joined = re.sub(r'"\s*f?"', "", source)
    table = PAGE.read_text().split("| message |")[1].split("\n\n")[0]
    for message in re.findall(r"^\| `([^`(]+)", table, re.MULTILINE):
        assert message.strip() in joined, message


def test_the_tables_of_the_page_have_every_variable_with_its_default() -> None:
    rows = re.findall(r"^\| `((?:QWASR_)?VAULT\w*)`[^…|]*\| (.*?) ?\|", PAGE.read_text(), re.MULTILINE)
    told = dict(rows)
    shown = {16 * 1024**2: "16 MiB", False: "`false`", 3.0: "3"}
    variables = [each for options in (MemoryOptions, EnvironmentOptions, FileOptions) for each in options.variables()]
    for variable in variables:
        default = "the vault's folder" if variable.name == "VAULT_GENERATION_DIR" else shown.get(variable.default, "")
        assert told.pop(variable.name) == default, variable.name
    assert set(told) == {"QWASR_VAULT", "QWASR_VAULT_STORES"}, "the page tells of a variable that there is not"
