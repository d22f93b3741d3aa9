"""Run WebAssembly components as servers; every capability a component imports is a Python plug-in.

::

    import asyncio
    from qwasr import Runtime

    async def main() -> None:
        async with Runtime("app.wasm") as runtime:
            await runtime.serve()

    asyncio.run(main())

What a plug-in needs is in `qwasr.hosting`, `qwasr.options`, `qwasr.hooks` and `qwasr.values`; what is re-exported here
is imported when it is first used, so that importing a plug-in stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwasr.call import CallInfo, current_call
    from qwasr.errors import GuestError, QwasrError
    from qwasr.hooks import KERNEL_API, Fake, Interface, hookimpl
    from qwasr.hosting import HostInterface, HostResource
    from qwasr.options import ConnectOptions, env
    from qwasr.protocols import Backend, Backends, Host, Server
    from qwasr.runtime import Guest, GuestCall, Runtime, RuntimeOptions
    from qwasr.values import Err, Ok, Some, Variant, WitError

__all__ = [
    "KERNEL_API",
    "Backend",
    "Backends",
    "CallInfo",
    "ConnectOptions",
    "Err",
    "Fake",
    "Guest",
    "GuestCall",
    "GuestError",
    "Host",
    "HostInterface",
    "HostResource",
    "Interface",
    "Ok",
    "QwasrError",
    "Runtime",
    "RuntimeOptions",
    "Server",
    "Some",
    "Variant",
    "WitError",
    "current_call",
    "env",
    "hookimpl",
]

_MODULES = {
    "qwasr.call": ("CallInfo", "current_call"),
    "qwasr.errors": ("GuestError", "QwasrError"),
    "qwasr.hooks": ("KERNEL_API", "Fake", "Interface", "hookimpl"),
    "qwasr.hosting": ("HostInterface", "HostResource"),
    "qwasr.options": ("ConnectOptions", "env"),
    "qwasr.protocols": ("Backend", "Backends", "Host", "Server"),
    "qwasr.runtime": ("Guest", "GuestCall", "Runtime", "RuntimeOptions"),
    "qwasr.values": ("Err", "Ok", "Some", "Variant", "WitError"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        message = f"module 'qwasr' has no attribute {name!r}"
        raise AttributeError(message)
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
