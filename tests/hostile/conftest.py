from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests.certificates import make_certificate, trusting
from tests.hostile import corpus
from tests.hostile.served import MIB, Served, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMITS = {
    "QWASR_GUEST_TIMEOUT_S": "1.5",  # 0.2 s of work that ends by itself has to fit in on a busy machine
    "QWASR_GUEST_MEMORY_BYTES": str(16 * MIB),
    "QWASR_CONCURRENCY": "16",
    "QWASR_BODY_IDLE_S": "3",  # a guest among many that are busy may not get to write for a second
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


@pytest.fixture(scope="module", params=["TLS", "workers"])
def elsewhere(
    request: pytest.FixtureRequest, corpus_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One process over TLS, and three workers behind one port."""
    folder = tmp_path_factory.mktemp("served")
    if request.param == "workers":
        with serve(corpus_path, folder, 3, **LIMITS) as served:
            yield served
        return
    certificate, key = make_certificate(folder, "server")
    environ = LIMITS | {"HTTP_TLS_CERT": str(certificate), "HTTP_TLS_KEY": str(key)}
    with serve(corpus_path, folder, 0, trusting(certificate), **environ) as served:
        yield served
