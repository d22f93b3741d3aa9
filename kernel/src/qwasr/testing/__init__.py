"""Help for tests of guests and plug-ins.

A test runs a guest with the stand-ins that interfaces register for tests, and with no variable of the developer's own::

    from qwasr.testing import runtime_for_tests

    async def test_the_guest_counts() -> None:
        async with runtime_for_tests("app.wasm") as runtime:
            assert await runtime.call("demo:counter/count", "next") == 1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwasr.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["runtime_for_tests"]


def runtime_for_tests(
    component: str | Path | bytes, *, environ: Mapping[str, str] | None = None, **arguments: Any
) -> Runtime:
    """Return a `Runtime` on fakes, with an empty environment unless one is given, and without a cache on disk.

    Args:
        component: as `Runtime` takes it.
        environ: the variables of the test.
        arguments: whatever else `Runtime` takes.
    """
    return Runtime(component, environ={"QWASR_CACHE_DIR": "off", **(environ or {})}, fakes=True, **arguments)
