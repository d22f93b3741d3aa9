"""A guest in component text uses blobstores through the real engine and runtime."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.blobstore.tests.guest_text import text
from interfaces.blobstore.tests.guests import AFTER, FIRST, NEVER_FINISHED, NO_OBJECT, TWICE, error_of, runtime_on
from qwasr.runtime import Runtime
from qwasr_blobstore import Folder, FolderOptions, Memory, plugin
from qwasr_blobstore.compliance._stored import END, get, pattern, put, put_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["memory", "folder"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield Memory()
        return
    folder = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}", durable=False))
    yield folder
    await folder.close()


@pytest.fixture
async def runtime(store: Any) -> AsyncIterator[Runtime]:
    async with runtime_on(store) as runtime:
        await runtime.call(None, "create", "c")
        yield runtime


async def test_a_guest_makes_finds_and_deletes_containers(runtime: Runtime) -> None:
    assert await runtime.call(None, "create", "Фото/../x") == "Фото/../x"
    assert await runtime.call(None, "exists", "Фото/../x") is True
    info = await runtime.call(None, "info", "Фото/../x")
    assert info.name == "Фото/../x"
    assert info.created_at > 1_700_000_000
    await runtime.call(None, "remove", "Фото/../x")
    assert await runtime.call(None, "exists", "Фото/../x") is False
    assert "no container" in await error_of(runtime.call(None, "info", "Фото/../x"))
    assert "already" in await error_of(runtime.call(None, "create", "c"))
    assert "no container" in await error_of(runtime.call(None, "remove", "other"))


@pytest.mark.parametrize("order", [FIRST, AFTER])
@pytest.mark.parametrize("size", [0, 5, 4096, 300_000, 1_500_000])
async def test_a_guest_writes_and_reads_an_object(runtime: Runtime, order: int, size: int) -> None:
    data = pattern(size)
    await runtime.call(None, "put", "c", "a/b.txt", data, order)
    assert await runtime.call(None, "fetch", "c", "a/b.txt", 0, END, False) == data
    assert await runtime.call(None, "fetch", "c", "a/b.txt", 0, END, True) == data
    info = await runtime.call(None, "object-info", "c", "a/b.txt")
    assert (info.name, info.container, info.size) == ("a/b.txt", "c", size)


async def test_a_guest_reads_a_range_with_both_its_ends(runtime: Runtime) -> None:
    await runtime.call(None, "put", "c", "o", b"0123456789", FIRST)
    for stream in (False, True):
        assert await runtime.call(None, "fetch", "c", "o", 2, 4, stream) == b"234"
        assert await runtime.call(None, "fetch", "c", "o", 9, 2**63, stream) == b"9"
    assert "after its end" in await error_of(runtime.call(None, "fetch", "c", "o", 4, 2, False))
    assert "10 bytes" in await error_of(runtime.call(None, "fetch", "c", "o", 10, 10, False))
    assert "no object" in await error_of(runtime.call(None, "fetch", "c", "missing", 0, 0, False))


async def test_a_value_that_is_not_finished_is_no_object(runtime: Runtime, store: Any) -> None:
    await runtime.call(None, "put", "c", "o", b"old", FIRST)
    await runtime.call(None, "put", "c", "o", pattern(600_000), NEVER_FINISHED)
    assert await runtime.call(None, "fetch", "c", "o", 0, END, False) == b"old"
    await runtime.call(None, "put", "c", "new", b"value", NEVER_FINISHED)
    assert await runtime.call(None, "has-object", "c", "new") is False


async def test_a_value_without_an_object_is_an_error(runtime: Runtime) -> None:
    assert "write-data was not called" in await error_of(runtime.call(None, "put", "c", "o", b"value", NO_OBJECT))


async def test_a_value_becomes_one_object_only(runtime: Runtime) -> None:
    assert "already" in await error_of(runtime.call(None, "put", "c", "o", b"value", TWICE))
    assert await runtime.call(None, "has-object", "c", "o") is False


async def test_a_guest_deletes_and_clears(runtime: Runtime) -> None:
    for name in ("a", "b", "c", "d"):
        await runtime.call(None, "put", "c", name, b"value", FIRST)
    await runtime.call(None, "delete-object", "c", "a")
    await runtime.call(None, "delete-objects", "c", ["b", "missing"])
    assert await runtime.call(None, "list", "c", 0, 10) == (["c", "d"], True)
    assert await runtime.call(None, "has-object", "c", "a") is False
    await runtime.call(None, "clear", "c")
    assert await runtime.call(None, "list", "c", 0, 10) == ([], True)


async def test_a_guest_copies_and_moves(runtime: Runtime) -> None:
    await runtime.call(None, "create", "other")
    await runtime.call(None, "put", "c", "o", b"value", FIRST)
    here, there = SimpleNamespace(container="c", object="o"), SimpleNamespace(container="other", object="p")
    await runtime.call(None, "copy", here, there)
    await runtime.call(None, "move", here, SimpleNamespace(container="c", object="q"))
    assert await runtime.call(None, "fetch", "other", "p", 0, END, False) == b"value"
    assert await runtime.call(None, "list", "c", 0, 10) == (["q"], True)
    assert "no object" in await error_of(runtime.call(None, "copy", here, there))


async def test_a_guest_reads_and_skips_names(runtime: Runtime) -> None:
    for number in range(5):
        await runtime.call(None, "put", "c", f"o{number}", b"", FIRST)
    assert await runtime.call(None, "list", "c", 0, 3) == (["o0", "o1", "o2"], False)
    assert await runtime.call(None, "list", "c", 3, 2) == (["o3", "o4"], True)
    assert await runtime.call(None, "list", "c", 0, 0) == ([], False)
    assert await runtime.call(None, "list", "c", 0, 2**64 - 1) == ([f"o{number}" for number in range(5)], True)
    assert await runtime.call(None, "skip", "c", 3) == (3, False)
    assert await runtime.call(None, "skip", "c", 5) == (5, True)
    assert await runtime.call(None, "skip", "c", 2**64 - 1) == (5, True)


async def test_a_listing_goes_on_over_pages(runtime: Runtime, store: Any) -> None:
    container = await store.get_container("c")
    names = sorted(f"object-{number}" for number in range(2300))
    for name in names:
        writer = await container.write(name)
        await writer.commit()
    assert await runtime.call(None, "list", "c", 0, 5000) == (names, True)
    assert await runtime.call(None, "list", "c", 1999, 2) == (names[1999:2001], False)
    assert await runtime.call(None, "list", "c", 2299, 2) == (names[2299:], True)
    assert await runtime.call(None, "skip", "c", 10_000) == (2300, True)


async def test_an_object_above_2_mib_is_read_as_a_stream(runtime: Runtime) -> None:
    await runtime.call(None, "fill", "c", "o", 65536, 33, FIRST)
    assert "as a stream" in await error_of(runtime.call(None, "fetch", "c", "o", 0, END, False))
    assert await runtime.call(None, "drain", "c", "o") == 33 * 65536
    assert len(await runtime.call(None, "fetch", "c", "o", 0, 2**21 - 1, False)) == 2**21


@pytest.mark.parametrize(("piece", "order"), [(65536, FIRST), (4096, FIRST), (65536, AFTER), (4096, AFTER)])
async def test_each_piece_of_a_large_object_is_in_its_place(
    runtime: Runtime, store: Any, piece: int, order: int
) -> None:
    await runtime.call(None, "fill", "c", "o", piece, 100, order)
    found = await get(await store.get_container("c"), "o")
    assert len(found) == 100 * piece
    for number in range(100):
        assert int.from_bytes(found[number * piece : number * piece + 8], "little") == number
    assert await runtime.call(None, "drain", "c", "o") == 100 * piece


async def test_small_pieces_that_a_guest_flushes_go_to_the_backend_together() -> None:
    sizes: list[int] = []

    class Counting(Memory):
        async def get_container(self, name: str) -> Any:
            container = await super().get_container(name)
            begin = container.write

            async def write(name: str) -> Any:
                writer = await begin(name)
                take = writer.write

                async def counted(data: bytes) -> None:
                    sizes.append(len(data))
                    await take(data)

                writer.write = counted  # type: ignore[method-assign]
                return writer

            container.write = write  # type: ignore[method-assign]
            return container

    async with runtime_on(Counting()) as runtime:
        await runtime.call(None, "create", "c")
        await runtime.call(None, "put", "c", "o", bytes(600_000), FIRST)
        assert sizes == [262_144, 262_144, 75_712]


async def test_an_answer_ends_after_a_mebibyte_of_names(runtime: Runtime, store: Any) -> None:
    container = await store.get_container("c")
    names = [f"{number:04}{'n' * 1000}" for number in range(1200)]
    for name in names:
        await put(container, name, b"")
    first, over = await runtime.call(None, "list", "c", 0, 5000)
    assert len(first) == 1045
    assert over is False
    assert await runtime.call(None, "list", "c", len(first), 5000) == (names[len(first) :], True)


async def test_a_mebibyte_of_names_is_one_of_bytes_not_of_characters() -> None:
    store = Memory()
    async with runtime_on(store) as runtime:
        await runtime.call(None, "create", "c")
        await put_all(await store.get_container("c"), [f"{number:04}{'写' * 340}" for number in range(1100)])
        first, over = await runtime.call(None, "list", "c", 0, 5000)
        assert len(first) == 1024
        assert over is False


@pytest.mark.parametrize("size", [0, 5, 3_000_001])
async def test_the_host_carries_one_object_into_another(runtime: Runtime, store: Any, size: int) -> None:
    container = await store.get_container("c")
    data = pattern(size)
    await put(container, "o", data)
    await runtime.call(None, "carry", "c", "o", "p")
    assert await get(container, "p") == data


async def test_names_are_checked(runtime: Runtime) -> None:
    assert "is empty" in await error_of(runtime.call(None, "create", ""))
    assert "more than 1024" in await error_of(runtime.call(None, "create", "é" * 513))
    assert "is empty" in await error_of(runtime.call(None, "put", "c", "", b"", FIRST))
    assert "more than 1024" in await error_of(runtime.call(None, "delete-objects", "c", ["a", "é" * 513]))
    assert "more than 10000" in await error_of(runtime.call(None, "delete-objects", "c", ["a"] * 10_001))
    assert await runtime.call(None, "put", "c", "é" * 512, b"", FIRST) is None


async def test_a_container_that_is_not_listed_does_not_exist() -> None:
    async with runtime_on(Memory(), QWASR_BLOBSTORE_STORES="listed") as runtime:
        await runtime.call(None, "create", "listed")
        assert "no such container" in await error_of(runtime.call(None, "create", "other"))
        there = SimpleNamespace(container="other", object="o")
        here = SimpleNamespace(container="listed", object="o")
        assert "no such container" in await error_of(runtime.call(None, "copy", here, there))


async def test_objects_go_from_one_backend_to_another(tmp_path: Path) -> None:
    folder = await Folder.connect(FolderOptions(url=f"file:///{tmp_path / 'store'}"))
    backends = {"blobstore": Memory(), "blobstore/photos": folder}
    async with Runtime(text(), backends=backends, environ={}, plugins=[plugin]) as runtime:
        await runtime.call(None, "create", "c")
        await runtime.call(None, "create", "photos")
        await runtime.call(None, "fill", "c", "o", 65536, 20, FIRST)
        here, there = SimpleNamespace(container="c", object="o"), SimpleNamespace(container="photos", object="p")
        await runtime.call(None, "copy", here, there)
        assert await runtime.call(None, "drain", "photos", "p") == 20 * 65536
        await runtime.call(None, "remove", "c")
        await runtime.call(None, "create", "c")
        await runtime.call(None, "move", there, here)
        assert await runtime.call(None, "drain", "c", "o") == 20 * 65536
        assert await runtime.call(None, "has-object", "photos", "p") is False
        assert "no object" in await error_of(runtime.call(None, "move", there, here))
        assert await runtime.call(None, "drain", "c", "o") == 20 * 65536
    await folder.close()
