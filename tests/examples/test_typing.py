"""The guests in Python, checked against the bindings that componentize-py makes of their worlds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qwasr.wit import wit_tree
from tools.guests import Guest, discover, write_tree

PYTHON_GUESTS = [guest for guest in discover().values() if guest.language.marker == "app.py"]


@pytest.mark.parametrize("guest", PYTHON_GUESTS, ids=lambda guest: guest.folder.name)
def test_a_python_guest_is_typed_strictly(guest: Guest, tmp_path: Path) -> None:
    write_tree(tmp_path / "wit", wit_tree(guest.folder / "wit"))
    tool, bindings = Path(sys.executable).with_name("componentize-py"), tmp_path / "bindings"
    subprocess.run([tool, "-d", tmp_path / "wit", "bindings", bindings], check=True, capture_output=True)
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}"]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *sorted(guest.folder.glob("*.py"))],
        env=os.environ | {"MYPYPATH": os.pathsep.join([str(bindings), str(guest.folder)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
