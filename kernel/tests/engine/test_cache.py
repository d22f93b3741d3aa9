from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import wasmtime

import qwasr
from kernel.tests.engine.guest_text import call, guest
from qwasr.engine.cache import ArtefactCache
from qwasr.source import Source

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import Component, Engine

TEXT = guest('(func (export "f") (result i32) (i32.const 5))', {"f": "(result u32)"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "qwasr"


@pytest.fixture
def caching(make_engine: MakeEngine, folder: Path) -> Engine:
    return make_engine(cache_dir=folder)


async def five(engine: Engine, component: Component) -> bool:
    result: int = await call(engine.link(component, []), "f")
    return result == 5


def only(folder: Path, suffix: str) -> Path:
    (found,) = folder.glob(f"*{suffix}")
    return found


def suffixes(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


async def test_a_component_is_compiled_once_and_then_loaded(caching: Engine, folder: Path) -> None:
    first, second = caching.load(TEXT), caching.load(TEXT)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert await five(caching, second)
    assert suffixes(folder) == [".cwasm", ".sum"], "nothing half-written stays"


def test_text_and_binary_of_one_component_share_an_artefact(caching: Engine, tmp_path: Path) -> None:
    caching.load(TEXT)
    (tmp_path / "same.wat").write_bytes(TEXT)
    assert caching.load(tmp_path / "same.wat").from_cache


def test_a_file_that_is_replaced_while_it_is_loaded_is_kept_under_its_own_name(caching: Engine, tmp_path: Path) -> None:
    path = tmp_path / "shop.wasm"
    path.write_bytes(wasmtime.wat2wasm(TEXT))
    source = Source.of(path)
    path.write_bytes(wasmtime.wat2wasm(TEXT.replace(b"i32.const 5", b"i32.const 6")))
    assert not caching.load(source).from_cache
    assert caching.load(path).from_cache, "what was compiled"
    assert not caching.load(TEXT).from_cache, "what was there when it was looked at"


def test_another_component_is_not_found(caching: Engine) -> None:
    caching.load(TEXT)
    assert not caching.load(TEXT.replace(b"i32.const 5", b"i32.const 6")).from_cache


async def test_another_layout_of_memory_does_not_find_the_artefact(make_engine: MakeEngine, folder: Path) -> None:
    make_engine(cache_dir=folder).load(TEXT)
    unpooled = make_engine(cache_dir=folder, pool=False)
    component = unpooled.load(TEXT)
    assert not component.from_cache
    assert await five(unpooled, component)
    assert unpooled.load(TEXT).from_cache


def test_the_folder_is_made_for_this_user_alone(caching: Engine, folder: Path) -> None:
    caching.load(TEXT)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("suffix", [".cwasm", ".sum"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
async def test_a_damaged_artefact_or_checksum_is_compiled_again(
    caching: Engine, folder: Path, suffix: str, damage: str
) -> None:
    caching.load(TEXT)
    path = only(folder, suffix)
    data = bytearray(path.read_bytes())
    match damage:
        case "flip":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[:-1])
        case "empty":
            path.write_bytes(b"")
        case _:
            path.unlink()
    again = caching.load(TEXT)
    assert not again.from_cache
    assert await five(caching, again)
    assert caching.load(TEXT).from_cache, "and the cache is whole again"


async def test_an_artefact_with_a_right_checksum_that_does_not_load_is_compiled_again(
    caching: Engine, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caching.load(TEXT)
    only(folder, ".cwasm").write_bytes(b"\x7fELF but nothing more")
    only(folder, ".sum").write_text(hashlib.blake2b(b"\x7fELF but nothing more").hexdigest())
    component = caching.load(TEXT)
    assert not component.from_cache
    assert await five(caching, component)
    assert "its cached artefact does not load" in caplog.text


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize("which", ["folder", ".cwasm", ".sum"])
def test_what_another_user_could_have_written_is_not_used(
    caching: Engine, folder: Path, caplog: pytest.LogCaptureFixture, which: str, mode: int
) -> None:
    caching.load(TEXT)
    path = folder if which == "folder" else only(folder, which)
    path.chmod(stat.S_IMODE(path.stat().st_mode) | mode)
    assert not caching.load(TEXT).from_cache
    assert f"{path} could have been written by another user" in caplog.text


def test_what_belongs_to_another_user_is_not_used(
    caching: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caching.load(TEXT)
    someone = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: someone)
    assert not caching.load(TEXT).from_cache
    assert "another user" in caplog.text


async def test_a_folder_that_cannot_be_made_costs_a_warning(
    make_engine: MakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    engine = make_engine(cache_dir=tmp_path / "file" / "cache")
    component = engine.load(TEXT)
    assert not component.from_cache
    assert await five(engine, component)
    assert "the compiled component is not cached" in caplog.text


async def test_a_disk_that_takes_nothing_costs_a_warning(
    caching: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(**_: object) -> NoReturn:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    component = caching.load(TEXT)
    assert await five(caching, component)
    assert "the compiled component is not cached: [Errno 30] Read-only file system" in caplog.text
    assert suffixes(folder) == []


def test_a_write_that_fails_half_way_leaves_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = ArtefactCache(folder)
    path = cache.path(b"component", "settings")
    folder.mkdir(parents=True)
    path.mkdir()  # the rename at the end fails
    cache.put(path, b"artefact")
    assert [entry.name for entry in folder.iterdir()] == [path.name]
    assert "is not cached" in caplog.text


def test_two_processes_that_compile_at_once_both_succeed(caching: Engine, folder: Path) -> None:
    program = """
import sys
from pathlib import Path
from qwasr.engine import Engine, EngineOptions
engine = Engine(EngineOptions(concurrency=2, memory_bytes=1 << 20, cache_dir=Path(sys.argv[1])))
sys.stdin.readline()
for _ in range(20):
    assert engine.load(sys.argv[2].encode()).exports == ("f",)
    for path in Path(sys.argv[1]).glob("*.sum"):
        path.unlink(missing_ok=True)  # the other one may just be reading it
assert engine.load(sys.argv[2].encode()).exports == ("f",)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(qwasr.__file__).parent.parent)}
    command = [sys.executable, "-c", program, str(folder), TEXT.decode()]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=50)[1] for process in processes]
    assert errors == ["", ""]
    caching.load(TEXT)
    assert caching.load(TEXT).from_cache
    assert not list(folder.glob(".new-*"))
