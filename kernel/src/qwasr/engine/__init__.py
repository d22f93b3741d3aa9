"""WebAssembly, and nothing else: components as coroutines over wasmtime's C API.

``Engine.load`` compiles a component, ``Engine.link`` wires its imports to Python classes, ``LinkedComponent.store``
makes one guest, ``await store.call(function, …)`` runs it. Values and host classes: `qwasr.values`, `qwasr.hosting`.
"""

from qwasr.engine.component import Component
from qwasr.engine.engine import Engine, EngineOptions
from qwasr.engine.instance import Store
from qwasr.engine.linker import ExportedFunction, LinkedComponent
from qwasr.engine.selfcheck import check_layout
from qwasr.engine.sized import ValueLimits

__all__ = ["Component", "Engine", "EngineOptions", "ExportedFunction", "LinkedComponent", "Store", "ValueLimits"]

check_layout()
