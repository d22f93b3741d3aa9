"""Rules for names: any text is one, and no two are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_blobstore.compliance._stored import all_names, fresh_container, fresh_name, get, put

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["NameRules"]

_UNUSUAL: Final = (
    " ", ".", "..", "../up", "/", "//", "/a", "a/", "a", "A", "a/b", "a//b", "a/./b", "a/../b", "a\\b", "\x00",
    "a\x00b", "\n", "a\tb", ":", "a:b", "*", "a?[b]*", "%", "%41", "%2F", "a%x", "%o", "CON", "con", "nul.txt", "a.",
    "a ", ".a", ".container", ".unfinished", "~", "-rf", "'; --", '"', "<b>", "|", "é", "e\u0301", "É", "ß", "ss", "İ",
    "ключ", "\u202e", "\uffff", "🗝", "0", "00", "$HOME", "{tag}", "#", "a#b", "a?b=c", "file:///etc/passwd", "C:\\x",
    "a" * 255, "a" * 256, "null", "\u00a0",
)  # fmt: skip
_MAX_BYTES: Final = 1024


class NameRules:
    """What holds for names of containers and objects."""

    async def test_objects_have_any_names(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        for number, name in enumerate(_UNUSUAL):
            await put(container, name, b"%d" % number)
        for number, name in enumerate(_UNUSUAL):
            assert await get(container, name) == b"%d" % number, f"the name {name!r} is mixed up with another"
            info = await container.object_info(name)
            assert info.name == name
        assert sorted(await all_names(container)) == sorted(_UNUSUAL)

    async def test_deleting_one_name_leaves_those_that_look_like_it(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        for name in _UNUSUAL:
            await put(container, name, b"")
        left = set(_UNUSUAL)
        for name in _UNUSUAL[::3]:
            await container.delete_objects([name])
            left.discard(name)
            assert await container.has_object(name) is False
        assert set(await all_names(container)) == left

    async def test_containers_have_any_names(self, backend: Blobstore) -> None:
        prefix = fresh_name()
        names = [f"{prefix}{name}" for name in _UNUSUAL]
        for number, name in enumerate(names):
            container = await backend.create_container(name)
            await put(container, "object", b"%d" % number)
        for number, name in enumerate(names):
            container = await backend.get_container(name)
            assert await get(container, "object") == b"%d" % number, f"the name {name!r} is mixed up with another"
            assert (await container.info()).name == name
        for name in names:
            await backend.delete_container(name)
            assert await backend.container_exists(name) is False

    async def test_no_name_leads_out_of_its_container(self, backend: Blobstore) -> None:
        inner, outer = await fresh_container(backend), await fresh_container(backend)
        await put(outer, "object", b"value")
        for name in (
            f"../{outer.name}/object",
            f"/{outer.name}/object",
            f"..\\{outer.name}\\object",
            f"%2e%2e/{outer.name}/object",
            f"\x00/{outer.name}/object",
        ):
            assert await inner.has_object(name) is False
            await put(inner, name, b"other")
            await inner.delete_objects([name])
        assert await get(outer, "object") == b"value"
        assert await all_names(outer) == ["object"]
        assert await backend.container_exists(f"{inner.name}/../{outer.name}") is False

    async def test_names_have_up_to_1024_bytes(self, backend: Blobstore) -> None:
        prefix = fresh_name()
        wide = "🗝" * ((_MAX_BYTES - len(prefix)) // 4)
        containers = [f"{prefix}{wide}", prefix + "c" * (_MAX_BYTES - len(prefix))]
        objects = [
            "k" * _MAX_BYTES,
            "k" * (_MAX_BYTES - 1) + "l",
            "🗝" * (_MAX_BYTES // 4),
            "A" * _MAX_BYTES,
            "/" * 1024,
        ]
        for container_name in containers:
            container = await backend.create_container(container_name)
            assert (await container.info()).name == container_name
            for number, name in enumerate(objects):
                await put(container, name, b"%d" % number)
            for number, name in enumerate(objects):
                assert await get(container, name) == b"%d" % number
            assert sorted(await all_names(container)) == sorted(objects)
            await backend.delete_container(container_name)

    async def test_names_that_begin_alike_are_apart(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        names = [
            *("n" * size for size in range(190, 215)),
            *("n" * 200 + "/" * size for size in range(1, 5)),
            "n" * 600,
        ]
        for name in names:
            await put(container, name, str(len(name)).encode())
        for name in names:
            assert await get(container, name) == str(len(name)).encode()
        await container.delete_objects(names[::2])
        assert set(await all_names(container)) == set(names[1::2])
        for name in names[1::2]:
            assert await get(container, name) == str(len(name)).encode()
