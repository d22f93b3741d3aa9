from __future__ import annotations

import contextlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime import component as wheel

from kernel.tests.engine.guest_text import call, guest
from qwasr.errors import ComponentError

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import Engine

TEXT = guest('(func (export "f") (result i32) (i32.const 5))', {"f": "(result u32)"})
BINARY = bytes(wasmtime.wat2wasm(TEXT))
CORE_MODULE = bytes(wasmtime.wat2wasm('(module (func (export "f")))'))


async def works(engine: Engine, source: str | Path | bytes, *, allow_precompiled: bool = False) -> bool:
    linked = engine.link(engine.load(source, allow_precompiled=allow_precompiled), [])
    result: int = await call(linked, "f")
    return result == 5


# ---------------------------------------------------------------- what runs


@pytest.mark.parametrize(("name", "data"), [("a.wasm", BINARY), ("b.wat", TEXT), ("no-suffix", BINARY)])
async def test_a_component_is_loaded_from_its_file(engine: Engine, tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert await works(engine, path)
    assert await works(engine, str(path))


@pytest.mark.parametrize("data", [BINARY, TEXT, b"\n\t ;; a comment\n" + TEXT, b"(; a comment ;)" + TEXT])
async def test_a_component_is_loaded_from_its_bytes(engine: Engine, data: bytes) -> None:
    assert await works(engine, data)


def test_a_component_knows_its_name_its_size_and_that_it_was_compiled(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "shop.wasm"
    path.write_bytes(BINARY)
    component = engine.load(path)
    assert (component.name, component.size_bytes, component.from_cache) == ("shop", len(BINARY), False)
    assert component.compile_s > 0
    assert (component.imports, component.exports) == ((), ("f",))
    assert engine.load(BINARY, name="given").name == "given"


# ---------------------------------------------------------------- what does not


def refusal(engine: Engine, source: str | Path | bytes) -> str:
    with pytest.raises(ComponentError) as raised:
        engine.load(source)
    return str(raised.value)


def test_a_missing_file_and_a_folder_are_named(engine: Engine, tmp_path: Path) -> None:
    assert refusal(engine, tmp_path / "absent.wasm") == f"{tmp_path / 'absent.wasm'} does not exist"
    assert refusal(engine, tmp_path) == f"{tmp_path} is a folder; a component file is expected"
    assert refusal(engine, str(tmp_path)) == f"{tmp_path} is a folder; a component file is expected"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "secret.wasm"
    path.write_bytes(BINARY)
    path.chmod(0)
    assert refusal(engine, path).startswith(f"{path} cannot be read")


def test_an_empty_file_says_so(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "empty.wasm").touch()
    assert refusal(engine, tmp_path / "empty.wasm").endswith("empty.wasm is empty")
    assert refusal(engine, b"") == "component is empty"


@pytest.mark.parametrize("data", [CORE_MODULE, b'(module (func (export "f")))', CORE_MODULE[:8]])
def test_a_core_module_is_told_from_a_component_with_what_to_do(engine: Engine, data: bytes) -> None:
    message = refusal(engine, data)
    assert "is a core WebAssembly module, not a component" in message
    assert "wasm-tools component new" in message


def test_other_files_are_not_webassembly(engine: Engine) -> None:
    for data in (b"#!/bin/sh\n", b"PK\x03\x04", b"<html>", b"\0", b"\0as", b" ", b"\xff\xfe(\0"):
        assert "is not WebAssembly" in refusal(engine, data)
    assert "unknown layer" in refusal(engine, b"\0asm\x0d\x00\x07\x00")


@pytest.mark.parametrize("size", range(1, len(BINARY), 7))
def test_a_truncated_component_is_an_error(engine: Engine, size: int) -> None:
    # where a prefix ends between two sections it is a component, only a smaller one
    with contextlib.suppress(ComponentError):
        assert engine.load(BINARY[:size]).exports == ()


def test_a_component_that_ends_inside_its_last_section_is_called_truncated(engine: Engine) -> None:
    assert "truncated" in refusal(engine, BINARY[:-3])
    assert "truncated" in refusal(engine, b"\0asm\x0d")


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_refused(engine: Engine, data: bytes) -> None:
    refusal(engine, data)


@given(st.binary(max_size=80), st.sampled_from([BINARY[:8], b"(component ", b"(", b";; ", b"\x7fELF", BINARY]))
@settings(max_examples=150, deadline=None)
def test_random_bytes_behind_a_good_beginning_never_raise_anything_else(
    engine: Engine, data: bytes, beginning: bytes
) -> None:
    try:
        engine.load(beginning + data)
    except ComponentError:
        return


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_component_with_some_bytes_changed_never_raises_anything_else(engine: Engine, data: st.DataObject) -> None:
    changed = bytearray(BINARY)
    for at in data.draw(st.lists(st.integers(8, len(BINARY) - 1), min_size=1, max_size=4)):
        changed[at] = data.draw(st.integers(0, 255))
    try:
        engine.load(bytes(changed))
    except ComponentError:
        return


def test_an_error_in_component_text_says_where(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "typo.wat"
    path.write_text('(component\n  (import "a:b/c" (instnce)))\n')
    message = refusal(engine, path)
    assert message.startswith("typo is not component text:")
    assert ":2:20" in message
    assert "instnce" in message


def test_component_text_that_is_no_utf_8_is_an_error(engine: Engine) -> None:
    assert "is not component text" in refusal(engine, b"(component \xff)")


def test_a_component_that_does_not_validate_says_why(engine: Engine) -> None:
    message = refusal(engine, b"(component (core module (func i32.add)))")
    assert message.startswith("component is not a valid component")
    assert "type mismatch" in message


WASI_0_3 = [
    b'(component (import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "now" (func (result u64))))))',
    b'(component (import "wasi:cli/stdin@0.3.0-rc-2025-09-16" (instance (export "f" (func (result (stream u8)))))))',
    b'(component (import "demo:a/b" (instance (export "f" (func (param "s" (stream u8)))))))',
    b'(component (import "demo:a/b" (instance (export "f" (func (result (future u32)))))))',
    b'(component (import "demo:a/b" (instance (export "f" (func async)))))',
    b"(component (type (stream u8)))",
]


@pytest.mark.parametrize("text", WASI_0_3)
def test_a_wasi_0_3_component_is_refused_with_what_to_do(engine: Engine, text: bytes) -> None:
    message = refusal(engine, text)
    assert "is a WASI 0.3 component" in message
    assert "wasm32-wasip2" in message


# ---------------------------------------------------------------- precompiled files


def test_a_precompiled_file_is_refused_unless_it_is_allowed(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "app.cwasm"
    path.write_bytes(engine.load(BINARY).serialize())
    message = refusal(engine, path)
    assert "precompiled" in message
    assert "native code" in message
    assert "--allow-precompiled" in message


async def test_a_precompiled_file_that_is_allowed_runs(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "app.cwasm"
    path.write_bytes(engine.load(BINARY).serialize())
    assert await works(engine, path, allow_precompiled=True)
    assert await works(engine, path.read_bytes(), allow_precompiled=True)


async def test_a_component_too_big_for_the_pool_runs_precompiled_too(make_engine: MakeEngine) -> None:
    tables = "(table 1 funcref)" * 10
    text = guest(tables + '(func (export "f") (result i32) (i32.const 5))', {"f": "(result u32)"})
    engine = make_engine()
    artefact = engine.load(text).serialize()
    assert await works(engine, artefact, allow_precompiled=True)


def other_configuration() -> bytes:
    config = wasmtime.Config()
    config.wasm_simd = False
    config.wasm_relaxed_simd = False
    config.consume_fuel = True
    return bytes(wheel.Component(wasmtime.Engine(config), BINARY).serialize())


def test_a_precompiled_file_of_another_version_says_both(engine: Engine) -> None:
    artefact = engine.load(BINARY).serialize()
    major = version("wasmtime").partition(".")[0].encode()
    assert b"\x02" + major in artefact[:200], "a length, then the major version"
    with pytest.raises(ComponentError, match=f"version '10'.*here with wasmtime {version('wasmtime')}"):
        engine.load(artefact.replace(b"\x02" + major, b"\x0210", 1), allow_precompiled=True)


def test_a_precompiled_file_of_another_configuration_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(ComponentError, match=r"another version, machine or configuration.*qwasr compile"):
        engine.load(other_configuration(), allow_precompiled=True)


@pytest.mark.parametrize("keep", [4, 5, 16, 63, 64, 200, 4096])
def test_a_precompiled_file_that_ends_early_is_refused(engine: Engine, keep: int) -> None:
    artefact = engine.load(BINARY).serialize()
    with pytest.raises(ComponentError, match="or is damaged"):
        engine.load(artefact[:keep], allow_precompiled=True)


@pytest.mark.parametrize("at", [4, 5, 40, 58, 60, 64])
def test_a_precompiled_file_with_a_damaged_header_is_refused(engine: Engine, at: int) -> None:
    artefact = bytearray(engine.load(BINARY).serialize())
    artefact[at] ^= 0xFF
    with pytest.raises(ComponentError, match="or is damaged"):
        engine.load(bytes(artefact), allow_precompiled=True)
