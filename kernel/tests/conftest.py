"""What the kernel's tests share: small components as text, and plug-ins made on the spot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.hooks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Exports plain functions: enough for calls, traps and deadlines.
PLAIN = """
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    (func (export "spin") (loop br 0))
    (func $crash unreachable)
    (func (export "trap") call $crash))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "trap") (canon lift (core func $i "trap"))))
"""

# Imports `demo:shelf/shelf` with one function `ask: func() -> u32`, and exports `demo:shelf/handler` with `run`, which
# answers what `ask` answers.
ASKING = """
(component
  (import "demo:shelf/shelf@0.1.0" (instance $shelf (export "ask" (func (result u32)))))
  (core func $ask (canon lower (func $shelf "ask")))
  (core module $m
    (import "shelf" "ask" (func $ask (result i32)))
    (func (export "run") (result i32) call $ask))
  (core instance $i (instantiate $m (with "shelf" (instance (export "ask" (func $ask))))))
  (func $run (result u32) (canon lift (core func $i "run")))
  (instance $handler (export "run" (func $run)))
  (export "demo:shelf/handler@0.1.0" (instance $handler)))
"""

# A command: `wasi:cli/run` answers ok or error, as the code below says.
COMMAND = """
(component
  (core module $m (func (export "run") (result i32) {body}))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
"""


@pytest.fixture
def plain() -> bytes:
    """A component with plain functions."""
    return PLAIN.encode()


@pytest.fixture
def asking() -> bytes:
    """A component that asks its host."""
    return ASKING.encode()


@pytest.fixture
def write_component(tmp_path: Path) -> Callable[..., Path]:
    """Write one of the components above to a file."""

    def write(name: str, **values: object) -> Path:
        text = {"plain": PLAIN, "asking": ASKING, "command": COMMAND}[name]
        path = tmp_path / f"{name}.wat"
        path.write_text(text.format(**values) if values else text)
        return path

    return write


@pytest.fixture
def plugin() -> Callable[..., Any]:
    """Make a plug-in of what it registers: ``plugin(backends=[Shelf])``."""

    def make(name: str = "stranger", **registers: list[Any]) -> Any:
        module = SimpleNamespace(__name__=name)
        for kind, things in registers.items():

            def hook(things: list[Any] = things) -> list[Any]:
                return things

            setattr(module, f"qwasr_register_{kind}", hookimpl(hook))
        return module

    return make
