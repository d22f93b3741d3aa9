"""What guests see of a backend in trouble, and what is left of guests that end in the middle."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.blobstore.tests.guests import AFTER, ANYWAY, FIRST, error_of, runtime_on
from qwasr_blobstore import Folder, FolderOptions, Memory, MemoryOptions, Unavailable
from qwasr_blobstore.compliance._stored import END

if TYPE_CHECKING:
    from pathlib import Path


class Troubled(Memory):
    """Memory whose writers and readers do something else."""

    async def trouble(self) -> None:
        """Do what a subclass says."""
        raise AssertionError("a subclass has its own")

    async def get_container(self, name: str) -> Any:
        container = await super().get_container(name)
        trouble, write, read = self.trouble, container.write, container.read

        async def troubled_write(name: str) -> Any:
            writer = await write(name)
            writer.write = lambda data: trouble()  # type: ignore[method-assign]
            return writer

        async def troubled_read(name: str, start: int, end: int) -> Any:
            reader = await read(name, start, end)
            reader.read = trouble  # type: ignore[method-assign, assignment]
            return reader

        container.write, container.read = troubled_write, troubled_read  # type: ignore[method-assign]
        return container


async def test_a_backend_that_does_not_answer_is_unavailable_in_time() -> None:
    class Silent(Troubled):
        async def trouble(self) -> None:
            await asyncio.Event().wait()

    async with runtime_on(Silent(), QWASR_BACKEND_TIMEOUT_S="0.1") as runtime:
        await runtime.call(None, "create", "c")
        for order in (FIRST, AFTER):
            said = await error_of(runtime.call(None, "fill", "c", "o", 65536, 40, order))
            assert "unavailable" in said
            assert await runtime.call(None, "has-object", "c", "o") is False


async def test_an_unexpected_exception_is_an_internal_error_and_the_process_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Troubled):
        async def trouble(self) -> None:
            msg = "secret detail"
            raise ValueError(msg)

    async with runtime_on(Broken()) as runtime:
        await runtime.call(None, "create", "c")
        for order in (FIRST, AFTER):
            said = await error_of(runtime.call(None, "put", "c", "o", bytes(10), order))
            assert said.startswith("internal error ")
            assert "secret" not in said
            assert "secret detail" in caplog.text
        await runtime.call(None, "exists", "c")


async def test_a_read_that_fails_in_the_middle_ends_its_stream_with_an_error() -> None:
    class Cut(Troubled):
        async def trouble(self) -> None:
            msg = "the service is unavailable"
            raise Unavailable(msg)

    store = Cut()
    async with runtime_on(store) as runtime:
        await runtime.call(None, "create", "c")
        writer = await (await Memory.get_container(store, "c")).write("o")
        await writer.write(b"value")
        await writer.commit()
        assert "unavailable" in await error_of(runtime.call(None, "fetch", "c", "o", 0, END, False))
        with pytest.raises(Exception, match="unreachable"):  # the guest traps: its stream did not just end
            await runtime.call(None, "fetch", "c", "o", 0, END, True)


async def test_a_guest_that_is_ended_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    store = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    async with runtime_on(store) as runtime:
        await runtime.call(None, "create", "c")
        for order in (FIRST, AFTER):
            task = asyncio.create_task(runtime.call(None, "fill", "c", "o", 65536, 100_000, order))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await runtime.call(None, "has-object", "c", "o") is False
        assert runtime.guest is not None
    await store.close()
    assert list((tmp_path / "store" / ".unfinished").iterdir()) == []


async def test_a_store_that_is_full_says_so_and_nothing_becomes_visible(caplog: pytest.LogCaptureFixture) -> None:
    async with runtime_on(Memory(MemoryOptions(max_bytes=1_000_000))) as runtime:
        await runtime.call(None, "create", "c")
        for order in (FIRST, AFTER, ANYWAY):
            said = await error_of(runtime.call(None, "fill", "c", "o", 65536, 40, order))
            assert "full" in said
            assert await runtime.call(None, "has-object", "c", "o") is False
        await runtime.call(None, "put", "c", "o", bytes(900_000), FIRST)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
