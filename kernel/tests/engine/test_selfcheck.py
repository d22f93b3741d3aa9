from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.engine import _capi, selfcheck
from qwasr.engine.codec import SCALARS, Codec
from qwasr.engine.composite import option_codec
from qwasr.engine.sized import SizedCodecs

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import RunPython


def test_this_wheel_lays_out_values_as_expected() -> None:
    selfcheck.check_layout()


def test_every_shape_of_value_is_checked() -> None:
    names = {type_name.partition("<")[0].partition(" ")[0] for type_name in (c.name for c, _ in selfcheck._samples())}
    composite = {"list", "tuple", "record", "variant", "enum", "flags", "option", "result"}
    assert composite | {"bool", "u32", "s8", "f32", "f64", "char", "string"} - {"u32"} <= names


@pytest.mark.parametrize("name", ["U64", "String"])
def test_a_value_that_comes_back_changed_is_an_import_error_that_names_type_and_version(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    right = SizedCodecs().string if name == "String" else SCALARS[name]
    value: Any = {"U64": 7, "String": "seven"}[name]
    wrong = Codec(right.name, lambda i: [right.lift(i)], right.lower)
    monkeypatch.setattr(selfcheck, "_samples", lambda: [(right, value), (wrong, value)])
    with pytest.raises(ImportError, match=f"wasmtime {version('wasmtime')} lays out {right.name} in another way"):
        selfcheck.check_layout()


def test_a_shape_inside_another_is_checked_through_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    u32 = SCALARS["U32"]
    shifted = Codec("u32", lambda i: u32.lift(i + 1), u32.lower)
    monkeypatch.setattr(selfcheck, "_samples", lambda: [(option_codec(shifted, nested=False), 0xDEC0_DED5)])
    with pytest.raises(ImportError, match="option<u32>"):
        selfcheck.check_layout()


def test_importing_the_engine_runs_the_check(run_python: RunPython) -> None:
    program = """
from qwasr.engine import _capi
class Lying:
    def __getattr__(self, name):
        return getattr(real, name)
    def wasmtime_component_val_clone(self, source, target):
        pass
real = _capi.lib
_capi.lib = Lying()
"""
    output = run_python(
        "import sys, types\n"
        "package = types.ModuleType('qwasr.engine')\n"
        "import qwasr, pathlib\n"
        "package.__path__ = [str(pathlib.Path(qwasr.__file__).parent / 'engine')]\n"
        "sys.modules['qwasr.engine'] = package\n" + program + "del sys.modules['qwasr.engine']\n"
        "try:\n    import qwasr.engine\nexcept ImportError as error:\n    print(error)\n"
    )
    assert "in another way than this release of qwasr-kernel expects" in output


def test_the_answer_that_is_ready_at_once_is_a_function_that_answers_true() -> None:
    assert _capi.ffi.cast("bool (*)(uintptr_t)", _capi.ALWAYS_READY)(1)


def test_an_index_and_an_address_are_two_names_of_one_word() -> None:
    owner, first = _capi.new_words(3)
    owner[1] = 77
    assert _capi.words[first + 1] == 77
    address = _capi.address_of(first)
    assert address == int(_capi.ffi.cast("uintptr_t", owner))
    assert _capi.index_of(address) == first
    assert _capi.read_bytes(address + 8, 1) == b"M"
    assert _capi.read_bytes(0, 0) == b""
