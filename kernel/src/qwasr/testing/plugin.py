"""The pytest plug-in; every run of pytest imports it where this package is installed, so it imports next to nothing.

It brings the fixture `guest`, the mark ``guest`` and the setting ``qwasr_guest``; see `qwasr.testing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwasr.testing.guest import Engines

_MARK = (
    "guest(component, *, environ, seed): the component that the fixture 'guest' runs, a path from the test file's "
    "folder or component text; the runtime's variables; what its chance follows from"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting ``qwasr_guest``."""
    parser.addini("qwasr_guest", "the component that the fixture 'guest' runs, a path from the folder of this file")


def pytest_configure(config: pytest.Config) -> None:
    """Add the mark, and the fixture `guest` in the form that fits what else is installed."""
    config.addinivalue_line("markers", _MARK)
    if config.pluginmanager.hasplugin("asyncio"):
        from qwasr.testing import _fixture

        config.pluginmanager.register(_fixture, "qwasr-guest")


@pytest.fixture(scope="session")
def guest_engines() -> Iterator[Engines]:
    """Compiled components, which the tests of a session share."""
    from qwasr.testing.guest import Engines

    engines = Engines()
    yield engines
    engines.close()


@pytest.fixture
def guest_component(request: pytest.FixtureRequest) -> Path | bytes:
    """The component that the fixture `guest` runs: what the closest mark says, or else ``qwasr_guest``.

    A project whose component has to be built first writes a fixture of this name, which returns the path or the bytes.
    """
    marked = _marked(request)
    if marked is not None:
        return marked
    named = request.config.getini("qwasr_guest")
    if not named:
        message = (
            "there is no component to test: write @pytest.mark.guest('app.wasm') at the test, "
            "or qwasr_guest = 'app.wasm' among pytest's settings, or a fixture guest_component"
        )
        raise pytest.UsageError(message)
    beside = request.config.inipath
    return (beside.parent if beside is not None else request.config.rootpath) / str(named)


@pytest.fixture
def guest_settings(request: pytest.FixtureRequest, guest_component: str | Path | bytes) -> dict[str, Any]:
    """What a test's guest is made of: the component that a mark or else `guest_component` says, and how it is run."""
    settings: dict[str, Any] = {"component": guest_component if (marked := _marked(request)) is None else marked}
    environ: dict[str, str] = {}
    for mark in request.node.iter_markers("guest"):  # the closest first
        if len(mark.args) > 1 or not mark.kwargs.keys() <= {"environ", "seed"}:
            raise pytest.UsageError(f"{request.node.nodeid}: the mark is {_MARK.partition(':')[0]}")
        if "seed" in mark.kwargs:
            settings.setdefault("seed", mark.kwargs["seed"])
        environ = {**mark.kwargs.get("environ", {}), **environ}
    return {**settings, "environ": environ}


@pytest.fixture
def guest() -> NoReturn:
    """Say what is missing; with pytest-asyncio there is another one, in `qwasr.testing._fixture`."""
    message = "the fixture 'guest' needs pytest-asyncio: pip install 'qwasr-kernel[testing]'"
    raise pytest.UsageError(message)


def _marked(request: pytest.FixtureRequest) -> Path | bytes | None:
    """Return the component that the closest mark names: text as bytes, a path from the test file's folder."""
    component = next((mark.args[0] for mark in request.node.iter_markers("guest") if mark.args), None)
    if component is None or isinstance(component, bytes):
        return component
    if isinstance(component, str) and component.lstrip().startswith(("(", ";;")):
        return component.encode()
    return request.path.parent / Path(component)
