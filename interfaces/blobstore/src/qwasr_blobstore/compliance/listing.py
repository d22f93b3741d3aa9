"""Rules for the listing of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr_blobstore.compliance._stored import all_names, fresh_container, pages, put, put_all

if TYPE_CHECKING:
    from qwasr_blobstore.protocol import Blobstore

__all__ = ["ListingRules"]

_MANY = 2100  # more than two pages
_MAX_PAGE = 1000


class ListingRules:
    """What holds for the listing of objects."""

    async def test_an_empty_container_lists_nothing(self, backend: Blobstore) -> None:
        assert await all_names(await fresh_container(backend)) == []

    async def test_a_listing_has_every_object_once_in_pages(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        names = [f"object-{number}" for number in range(_MANY)]
        await put_all(container, names)
        found = await pages(container)
        assert len(found) > 1
        assert all(len(page.names) <= _MAX_PAGE for page in found)
        assert all(isinstance(page.cursor, str) for page in found[:-1])
        assert sorted(name for page in found for name in page.names) == sorted(names)

    async def test_a_listing_keeps_its_place_while_objects_come_and_go(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        staying = [f"staying-{number}" for number in range(_MANY)]
        going = [f"going-{number}" for number in range(_MANY)]
        await put_all(container, (name for pair in zip(going, staying, strict=True) for name in pair))
        page = await container.list_objects(None)
        listed, turn = list(page.names), 0
        while page.cursor is not None:
            await container.delete_objects(going[turn * 500 : (turn + 1) * 500])
            await put(container, f"coming-{turn}", b"")
            await put(container, staying[turn], b"written again")
            page = await container.list_objects(page.cursor)
            listed += page.names
            turn += 1
        stayed = [name for name in listed if name.startswith("staying")]
        assert set(stayed) == set(staying), f"{len(set(staying) - set(stayed))} objects were left out"
        assert len(stayed) == len(staying), "some objects were listed twice"

    async def test_two_listings_do_not_disturb_each_other(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        names = {f"object-{number}" for number in range(_MANY)}
        await put_all(container, names)
        one, other = await container.list_objects(None), await container.list_objects(None)
        found_one, found_other = set(one.names), set(other.names)
        while one.cursor is not None or other.cursor is not None:
            if one.cursor is not None:
                one = await container.list_objects(one.cursor)
                found_one |= set(one.names)
            if other.cursor is not None:
                other = await container.list_objects(other.cursor)
                found_other |= set(other.names)
        assert found_one == found_other == names

    async def test_deleted_objects_are_not_listed(self, backend: Blobstore) -> None:
        container = await fresh_container(backend)
        await put_all(container, ["a", "b", "c"])
        await container.delete_objects(["b"])
        assert sorted(await all_names(container)) == ["a", "c"]
