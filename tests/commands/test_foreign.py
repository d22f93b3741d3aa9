"""A tool that others wrote, built and published: the solver Boolector, a C program linked with wasi-libc."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.tools import Outcome, Tools
from tools.languages import MissingTool, componentize_program
from tools.packages import BOOLECTOR

SQUARE = b"""
(set-option :produce-models true)
(set-logic QF_BV)
(declare-const x (_ BitVec 8))
(assert (= (bvmul x x) #x31))
(assert (bvult x #x10))
(check-sat)
(get-value (x))
"""
IMPOSSIBLE = b"(set-logic QF_BV)(declare-const x (_ BitVec 32))(assert (= (bvmul x x) #x00000002))(check-sat)"


@pytest.fixture(scope="session")
def boolector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    component = tmp_path_factory.mktemp("boolector") / "boolector.wasm"
    try:
        componentize_program(BOOLECTOR.get(), component)
    except MissingTool as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"boolector cannot be made a component here: {error}")
    return component


@pytest.fixture
def solver(boolector: Path, native_path: Callable[[str], Path], tmp_path: Path, cache: Path) -> Tools:
    return Tools(lambda name: boolector, native_path, tmp_path, cache)


async def test_it_says_its_version(solver: Tools) -> None:
    assert await solver.guest("boolector", "--version") == Outcome(0, b"3.2.3\n", b"")


async def test_it_solves_what_it_reads_from_its_input(solver: Tools) -> None:
    outcome = await solver.guest("boolector", stdin=SQUARE)
    assert outcome.out.splitlines() == [b"sat", b"((x #b00000111))"]


async def test_it_solves_what_it_reads_from_a_file_and_writes_to_another(solver: Tools) -> None:
    (solver.folder / "formula.smt2").write_bytes(IMPOSSIBLE)
    await solver.guest("boolector", "formula.smt2", "-o", "answer")
    assert (solver.folder / "answer").read_bytes() == b"unsat\n"


async def test_it_says_what_is_wrong_with_a_formula(solver: Tools) -> None:
    outcome = await solver.guest("boolector", stdin=b"(assert nonsense)")
    assert outcome.code == 1
    assert b"nonsense" in outcome.err
