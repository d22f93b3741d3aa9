"""The examples with messages as whole programs: brokers, files and processes are real, and are ended in between."""

from __future__ import annotations

import asyncio
import collections
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.examples.serving import COLD_START_S, running
from tools.ports import free_port

pytestmark = pytest.mark.timeout(COLD_START_S + 120)
GuestPath = Callable[[str], Path]
ADMIN = {"authorization": "Bearer sesame"}


def on_disk(folder: Path) -> list[str]:
    """The arguments that keep all that a shop knows in a folder."""
    return [
        *("--set", f"QWASR_KEYVALUE=sqlite:///{folder}/keyvalue.db"),
        *("--set", f"QWASR_MESSAGING=sqlite:///{folder}/messaging.db"),
        *("--set", f"QWASR_BLOBSTORE=file:///{folder}/blobs"),
        *("--set", f"SQL_DATABASE={folder}/shop.db"),
    ]


async def page(address: str, path: str) -> Any:
    async with aiohttp.ClientSession(f"http://{address}") as client, client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def stock_up(address: str, stock: int) -> None:
    product = {"price": 350, "stock": stock}
    async with aiohttp.ClientSession(f"http://{address}") as client:
        assert (await client.put("/products/tea", json=product, headers=ADMIN)).status == 204


async def order(address: str, count: int) -> int:
    async with aiohttp.ClientSession(f"http://{address}") as client:
        return (await client.post("/orders", json={"product": "tea", "count": count})).status


async def states(address: str, numbers: range) -> list[str]:
    return [(await page(address, f"/orders/{number}"))["state"] for number in numbers]


async def all_invoiced(address: str, numbers: range) -> None:
    """Wait until all these orders have their invoices."""
    async with asyncio.timeout(30):
        while set(await states(address, numbers)) != {"invoiced"}:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)


async def test_one_message_is_answered_with_a_thousand_and_the_time_is_logged(guest_path: GuestPath) -> None:
    guest_path("messaging")
    async with running("messaging") as example:
        async with aiohttp.ClientSession(f"http://{example.address}") as client:
            assert (await client.post("/", data=b"a job")).status == 202
        sent = await example.line(r"1000 results sent after [0-9.]+ s")
        handled = await example.line(r"result 1000 handled after [0-9.]+ s")
    times_s = [float(re.findall(r"after ([0-9.]+) s", line)[0]) for line in (sent, handled)]
    assert 0 < times_s[0] <= times_s[1]


async def test_a_shop_of_two_processes_sells_what_it_has_and_each_once(guest_path: GuestPath, tmp_path: Path) -> None:
    guest_path("shop")
    async with running("shop", "--workers", "2", *on_disk(tmp_path)) as shop:
        await stock_up(shop.address, 30)
        answers = collections.Counter(await asyncio.gather(*(order(shop.address, 2) for _ in range(20))))
        assert answers == {202: 15, 409: 5}
        await all_invoiced(shop.address, range(1, 16))
        assert await page(shop.address, "/products") == [{"name": "tea", "price": 350, "stock": 0, "sold": 30}]


async def test_a_shop_knows_after_a_restart_what_it_knew(guest_path: GuestPath, tmp_path: Path) -> None:
    guest_path("shop")
    async with running("shop", *on_disk(tmp_path)) as shop:
        await stock_up(shop.address, 12)
        assert await order(shop.address, 2) == 202
        await all_invoiced(shop.address, range(1, 2))
    async with running("shop", *on_disk(tmp_path)) as shop:
        assert await page(shop.address, "/products") == [{"name": "tea", "price": 350, "stock": 10, "sold": 2}]
        async with aiohttp.ClientSession(f"http://{shop.address}") as client:
            invoice = await (await client.get("/orders/1/invoice")).text()
        assert invoice.startswith("Order 1\n2 x tea\ntotal 7.00\nsigned ")


async def test_what_is_left_to_do_when_a_shop_ends_is_done_by_the_next(guest_path: GuestPath, tmp_path: Path) -> None:
    guest_path("shop")
    told: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=204)

    port = free_port()
    hook = ("--env", f"SHOP_WEBHOOK=http://127.0.0.1:{port}/", "--set", f"QWASR_HTTP_ALLOW=127.0.0.1:{port}")
    async with running("shop", *hook, *on_disk(tmp_path)) as shop:
        await stock_up(shop.address, 12)
        assert await order(shop.address, 2) == 202
        await shop.line("connection")  # nobody listens there yet
        assert await states(shop.address, range(1, 2)) == ["placed"]

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with running("shop", *hook, *on_disk(tmp_path)) as shop:
            await all_invoiced(shop.address, range(1, 2))
    finally:
        await runner.cleanup()
    assert [each["number"] for each in told] == [1]


@pytest.mark.parametrize("name", ["blobstore", "blobstore-js"])
async def test_a_file_whose_upload_breaks_off_is_not_there(guest_path: GuestPath, name: str) -> None:
    guest_path(name)
    async with running(name) as example, aiohttp.ClientSession(f"http://{example.address}") as client:
        assert (await client.put("/old", data=b"whole")).status == 200
        for path in ("new", "old"):
            host, port = example.address.split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"PUT /%s HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n%s" % (path.encode(), b"x" * 100_000)
            )
            await writer.drain()
            await asyncio.sleep(0.2)
            writer.close()
            await example.line(f"PUT /{path} 0 .* gone")
        assert await (await client.get("/")).text() == "old\n"
        assert await (await client.get("/old")).read() == b"whole"
