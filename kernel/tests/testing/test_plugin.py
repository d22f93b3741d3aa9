"""The pytest plug-in, in runs of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kernel.tests.conftest import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., str]

OFFLINE = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}
ADDS = """
async def test_it(guest):
    assert await guest.call(None, "add", 1, 2) == 3
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest on a test file, below a folder that has `app.wat`; return what it printed."""

    def run_pytest(test: str, *arguments: str, settings: str = "", fails: bool = False) -> str:
        below = tmp_path / "tests"
        below.mkdir()
        (below / "app.wat").write_text(PLAIN)
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\n{settings}\n")
        (below / "test_it.py").write_text(f"import pytest\nOFFLINE = {OFFLINE!r}\n{test}")
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "QWASR_"))}
        words = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        if "no:asyncio" not in arguments:
            arguments = (*arguments, "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
        done = subprocess.run(
            [*words, *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout

    return run_pytest


def test_a_mark_names_the_component_from_the_tests_folder(run: Run) -> None:
    assert "1 passed" in run(f"pytestmark = pytest.mark.guest('app.wat', environ=OFFLINE)\n{ADDS}")


def test_a_mark_may_hold_component_text(run: Run) -> None:
    assert "1 passed" in run(f"pytestmark = pytest.mark.guest({PLAIN!r}, environ=OFFLINE)\n{ADDS}")


def test_a_setting_names_the_component_from_its_files_folder(run: Run) -> None:
    mark = "pytestmark = pytest.mark.guest(environ=OFFLINE)"
    assert "1 passed" in run(f"{mark}\n{ADDS}", settings="qwasr_guest = tests/app.wat")


def test_a_fixture_of_the_project_makes_the_component(run: Run) -> None:
    test = f"""
pytestmark = pytest.mark.guest(environ=OFFLINE)

@pytest.fixture(scope="session")
def guest_component():
    return {PLAIN.encode()!r}
{ADDS}"""
    assert "1 passed" in run(test)


def test_a_closer_mark_wins_and_variables_add_up(run: Run) -> None:
    test = """
pytestmark = pytest.mark.guest("app.wat", environ={**OFFLINE, "QWASR_GUEST_TIMEOUT_S": "3"}, seed=1)

@pytest.mark.guest(environ={"QWASR_QUEUE": "7"}, seed=2)
async def test_it(guest):
    assert guest.runtime.guest.timeout_s == 3
    assert guest.runtime._options.queue == 7
    assert guest.clock.seed == 2
"""
    assert "1 passed" in run(test)


def test_without_a_component_the_error_says_how_to_name_one(run: Run) -> None:
    assert "there is no component to test: write @pytest.mark.guest('app.wasm')" in run(ADDS, fails=True)


def test_a_mark_with_something_else_is_an_error(run: Run) -> None:
    said = run(f"pytestmark = pytest.mark.guest('app.wat', env=OFFLINE)\n{ADDS}", fails=True)
    assert "the mark is guest(component, *, environ, seed)" in said


def test_without_pytest_asyncio_the_error_says_what_to_install(run: Run) -> None:
    said = run("def test_it(guest): pass", "-p", "no:asyncio", fails=True)
    assert "pip install 'qwasr-kernel[testing]'" in said


def test_the_mark_and_the_fixture_are_listed_by_pytest(run: Run) -> None:
    assert "@pytest.mark.guest(component, *, environ, seed)" in run("def test_it(): pass", "--markers")


def test_loading_the_plugin_imports_neither_an_engine_nor_an_event_loop() -> None:
    script = """
import sys, pytest
before = set(sys.modules)
import qwasr.testing.plugin
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"qwasr", "qwasr.testing", "qwasr.testing.plugin"}
