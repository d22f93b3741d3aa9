from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwasr import source
from qwasr.errors import ComponentError
from qwasr.source import Source

HEADER = b"\0asm\x0d\x00\x01\x00"


def test_a_component_file_and_its_bytes_have_one_digest_and_size(tmp_path: Path) -> None:
    content = HEADER + os.urandom(source._BLOCK_BYTES + 5)
    (tmp_path / "shop.wasm").write_bytes(content)
    file, given = Source.of(tmp_path / "shop.wasm"), Source.of(content)
    assert (file.digest, file.size_bytes, file.kind) == (given.digest, given.size_bytes, given.kind)
    assert (file.name, given.name) == ("shop", "component")


def test_a_component_file_is_not_held_in_memory_and_text_is(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(HEADER)
    (tmp_path / "a.wat").write_bytes(b"(component)")
    assert Source.of(tmp_path / "a.wasm").held == tmp_path / "a.wasm"
    assert Source.of(tmp_path / "a.wat").held == b"(component)"


def test_the_content_is_what_the_file_holds_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wasm"
    path.write_bytes(HEADER)
    found = Source.of(path)
    path.write_bytes(HEADER + b"more")
    assert found.content() == HEADER + b"more"
    path.unlink()
    with pytest.raises(ComponentError, match="does not exist"):
        found.content()


@pytest.mark.parametrize("beginning", [HEADER, b";; text"])
def test_a_file_above_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(source, "MAX_COMPONENT_BYTES", 100_000)
    path = tmp_path / "large"
    path.write_bytes(beginning + bytes(100_000))
    with pytest.raises(ComponentError, match="larger than the 100000 bytes"):
        Source.of(path)


def test_bytes_above_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_COMPONENT_BYTES", 10)
    with pytest.raises(ComponentError, match="larger than the 10 bytes"):
        Source.of(HEADER + b"more")
