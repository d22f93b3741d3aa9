"""A compiled component, and why one that was to be compiled could not be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasmtime import WasmtimeError, wat2wasm
from wasmtime import component as wheel

from qwasr.engine._capi import pointer
from qwasr.engine.names import is_wasi_0_3
from qwasr.engine.reflect import FuncType, InstanceType
from qwasr.errors import ComponentError
from qwasr.source import classify

if TYPE_CHECKING:
    from collections.abc import Iterator

    import wasmtime

__all__ = ["Component", "parse_text"]

_WASI_0_3: Final = re.compile(rb"wasi:[a-z0-9-]+/[a-z0-9-]+@0\.3\.")


def parse_text(data: bytes, name: str) -> bytes:
    """Translate component text to its binary form.

    Raises:
        ComponentError: it does not parse; the message carries line and column.
    """
    try:
        binary = bytes(wat2wasm(data))
    except WasmtimeError as error:
        raise ComponentError(f"{name} is not component text:\n{error}") from None
    classify(binary, name)
    return binary


def compile_error(error: WasmtimeError, data: bytes, name: str) -> ComponentError:
    """Return the error that says why a component did not compile."""
    if _WASI_0_3.search(data):
        return wasi_0_3_error(name)
    text = str(error)
    if "component model async" in text:  # the feature that streams, futures and asynchronous functions belong to
        return wasi_0_3_error(name)
    if "unexpected end" in text:
        return ComponentError(f"{name} is truncated or damaged: {text.splitlines()[-1].strip()}")
    return ComponentError(f"{name} is not a valid component: {text}")


def wasi_0_3_error(name: str) -> ComponentError:
    """Return the error for a component of WASI 0.3."""
    return ComponentError(
        f"{name} is a WASI 0.3 component; this engine's C API cannot carry its streams and futures yet. "
        "Build it for WASI 0.2 (for example wasm32-wasip2)."
    )


class Component:
    """A compiled component.

    Attributes:
        name: the file's stem, or what the embedder called it.
        size_bytes: of the source.
        from_cache: whether it was loaded instead of compiled.
        compile_s: how long compiling or loading took, in seconds.
        imports: names of what it imports, in its order.
        exports: names of what it exports, in its order.
    """

    def __init__(
        self, native: wheel.Component, native_engine: wasmtime.Engine, name: str, *, size_bytes: int, from_cache: bool
    ) -> None:
        self.native = native
        self.native_engine = native_engine
        self.native_engine_pointer = pointer(native_engine)
        self.name = name
        self.size_bytes = size_bytes
        self.from_cache = from_cache
        self.compile_s = 0.0
        reflected = native.type
        self._imports: dict[str, Any] = {k: v.ty for k, v in reflected.imports(native_engine).items()}
        self._exports: dict[str, Any] = {k: v.ty for k, v in reflected.exports(native_engine).items()}
        self.imports = tuple(self._imports)
        self.exports = tuple(self._exports)
        if is_wasi_0_3(self.imports + self.exports):
            raise wasi_0_3_error(name)

    def __repr__(self) -> str:
        return f"<Component {self.name}: {len(self.imports)} imports, {len(self.exports)} exports>"

    def import_types(self) -> Iterator[tuple[str, Any]]:
        """Yield each import's name and reflected type, in the component's order."""
        yield from self._imports.items()

    def import_functions(self, name: str) -> tuple[str, ...]:
        """Return the names of the functions of one import."""
        reflected = self._imports[name]
        if not isinstance(reflected, InstanceType):
            return ()
        members = reflected.exports(self.native_engine).items()
        return tuple(member for member, extern in members if isinstance(extern.ty, FuncType))

    def export_type(self, interface: str | None, name: str) -> Any:
        """Return the reflected type of an export, or None."""
        if interface is None:
            return self._exports.get(name)
        reflected = self._exports.get(interface)
        if not isinstance(reflected, InstanceType):
            return None
        extern = reflected.exports(self.native_engine).get(name)
        return None if extern is None else extern.ty

    def serialize(self) -> bytes:
        """Return the compiled artefact: native code for this machine and this version of wasmtime."""
        return bytes(self.native.serialize())
