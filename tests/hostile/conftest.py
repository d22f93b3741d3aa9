from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile import corpus
from tests.hostile.served import MIB, Served, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMITS = {
    "QWASR_GUEST_TIMEOUT_S": "0.8",
    "QWASR_GUEST_MEMORY_BYTES": str(16 * MIB),
    "QWASR_CONCURRENCY": "16",
    "QWASR_BODY_IDLE_S": "1",
}


@pytest.fixture(scope="session")
def corpus_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.wasm"
    path.write_bytes(corpus.component())
    return path


@pytest.fixture(scope="module")
def served(corpus_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all tests of a file: each of them has to leave it as good as new."""
    with serve(corpus_path, tmp_path_factory.mktemp("served"), **LIMITS) as process:
        yield process


@pytest.fixture(scope="module")
def served_c(guest_path: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The C guest, in a process of its own."""
    with serve(guest_path("hostile"), tmp_path_factory.mktemp("served"), **LIMITS) as process:
        yield process
