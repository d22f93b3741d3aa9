"""Guests that go on after their answer, and answers that guests cannot keep: what they leave behind."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from interfaces.wasi.tests.folders import mounted
from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import TooManyResources
from qwasr.hosting import HostInterface
from qwasr_wasi.filesystem import Descriptor
from tests.hostile import corpus
from tests.hostile.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.parametrize("name", ["answer-then-wait", "answer-then-loop"])
async def test_a_guest_that_goes_on_after_its_answer_is_ended_and_its_place_is_free_again(
    corpus_path: Path, tmp_path: Path, name: str
) -> None:
    limits = {"QWASR_GUEST_TIMEOUT_S": "2", "QWASR_CONCURRENCY": "1"}
    with serve(corpus_path, tmp_path, **limits) as served:
        for ended in (1, 2):
            assert await served.ask(corpus.path(name)) == (200, b"hello")
            async with asyncio.timeout(30):
                while served.log().count("QWASR_GUEST_TIMEOUT_S") < ended:  # noqa: ASYNC110 - the process tells no one
                    await asyncio.sleep(0.05)
        assert await served.ask(corpus.path("hello")) == (200, b"hello")


OPENS = guest(
    """(func (export "hoard") (loop (drop (call $open)) (br 0)))""",
    {"hoard": ""},
    Imports("test:host/files", {"open": "(result (own $descriptor))"}, resource("descriptor"), ("descriptor",)),
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(concurrency=4, resources=8))
    yield engine
    engine.close()


async def test_guests_that_open_files_beyond_their_resources_leave_every_place_and_descriptor_free(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    async with mounted(tmp_path) as root:  # at whose end no place may be taken and no descriptor open

        class Files(HostInterface, wit="test:host/files", resources=(Descriptor,)):
            async def open(self) -> Descriptor:
                opened: Descriptor = await root.open_at(frozenset(), "file", frozenset(), frozenset({"read"}))
                return opened

        linked = engine.link(engine.load(OPENS), [Files()])
        for _ in range(20):  # 9 places each, of which there are 64
            results = await asyncio.gather(*(call(linked, "hoard") for _ in range(4)), return_exceptions=True)
            assert [type(result) for result in results] == [TooManyResources] * 4
