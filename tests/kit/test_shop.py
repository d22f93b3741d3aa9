"""The shop of examples/shop, page by page, and what it does with an order behind the client's back."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from qwasr_blobstore.errors import OutOfSpace

if TYPE_CHECKING:
    from qwasr.testing import Guest

EXAMPLE = "shop"
ADMIN = {"authorization": "Bearer sesame"}
HOOK = "https://books.example/orders"

pytestmark = pytest.mark.guest(environ={"MESSAGING_TOPICS": "orders.placed"})


@pytest.fixture
async def shop(guest: Guest) -> Guest:
    """The shop with its secrets, and twelve packets of tea for 3.50 each."""
    guest.vault["default"]["admin-token"] = b"sesame"
    guest.vault["default"]["signing-key"] = b"correct horse"
    response = await guest.put("/products/tea", json={"price": 350, "stock": 12}, headers=ADMIN)
    assert response.status == 204
    return guest


async def order(shop: Guest, **fields: Any) -> Any:
    return await shop.post("/orders", json=fields)


async def invoiced(shop: Guest, number: int = 1) -> None:
    """Wait until an order has gone through everything."""
    await shop.until(
        lambda: shop.sql.rows("SELECT state FROM orders WHERE number = ?", number) == [{"state": "invoiced"}]
    )
    await shop.until(lambda: "invoice written" in shop.wasi.stdout)


async def tried_again(shop: Guest) -> None:
    """Wait until a message that failed has come again, and went well."""

    def done() -> bool:
        shop.clock.advance(5)
        return "invoice written" in shop.wasi.stdout

    await shop.until(done)


async def test_an_order_takes_from_the_stock_and_is_published(shop: Guest) -> None:
    response = await order(shop, product="tea", count=2)
    assert response.status == 202
    assert response.json() == {"number": 1, "product": "tea", "count": 2, "cents": 700, "state": "placed"}
    assert shop.sql.rows("SELECT stock FROM products") == [{"stock": 10}]
    assert [(sent.topic, sent.data) for sent in shop.messaging.published] == [("orders.placed", b"1")]


async def test_an_invoice_is_made_signed_and_streamed(shop: Guest) -> None:
    await order(shop, product="tea", count=2)
    await invoiced(shop)
    text = "Order 1\n2 x tea\ntotal 7.00\n"
    signature = hmac.digest(b"correct horse", text.encode(), hashlib.sha256).hex()
    assert (await shop.get("/orders/1/invoice")).text == f"{text}signed {signature}\n"
    assert (await shop.get("/orders/1")).json()["state"] == "invoiced"


async def test_what_was_sold_is_counted(shop: Guest) -> None:
    await order(shop, product="tea", count=2)
    await invoiced(shop)
    assert shop.keyvalue["sold"]["tea"] == b"2"
    assert (await shop.get("/products")).json() == [{"name": "tea", "price": 350, "stock": 10, "sold": 2}]


async def test_an_order_that_comes_twice_is_counted_once(shop: Guest) -> None:
    await order(shop, product="tea", count=2)
    await invoiced(shop)
    assert (await shop.messaging.deliver("orders.placed", b"1")).acknowledged
    assert shop.keyvalue["sold"]["tea"] == b"2"


async def test_an_invoice_that_cannot_be_kept_is_made_later(shop: Guest) -> None:
    shop.blobstore.fail(OutOfSpace("the store is full"), on="commit")
    await order(shop, product="tea", count=2)
    await shop.until(lambda: any(call.operation == "commit" for call in shop.blobstore.calls))
    assert (await shop.get("/orders/1/invoice")).status == 404
    await tried_again(shop)
    assert (await shop.get("/orders/1/invoice")).status == 200


@pytest.mark.parametrize("count", [13, 0, -1])
async def test_an_order_that_cannot_be_met_changes_nothing(shop: Guest, count: int) -> None:
    assert (await order(shop, product="tea", count=count)).status == 409
    assert shop.sql.rows("SELECT stock FROM products") == [{"stock": 12}]
    assert shop.sql.rows("SELECT * FROM orders") == []
    assert shop.messaging.published == []


async def test_what_the_shop_does_not_have_is_not_found(shop: Guest) -> None:
    assert (await order(shop, product="gin", count=1)).status == 404
    for path in ("/orders/9", "/orders/9/invoice", "/orders/x", f"/orders/{10**30}", "/", "/products/tea/more"):
        assert (await shop.get(path)).status == 404, path


@pytest.mark.parametrize(
    "body",
    [
        *("", "x", "[]", "{}", '{"product": "tea"}', '{"product": "tea", "count": "2"}', '{"product": 1, "count": 2}'),
        *('{"product": "tea", "count": true}', '{"product": "tea", "count": 1000000000000000000000}'),
    ],
)
async def test_a_body_of_another_form_is_refused(shop: Guest, body: str) -> None:
    assert (await shop.post("/orders", body=body)).status == 400


async def test_a_long_body_is_refused(shop: Guest) -> None:
    assert (await shop.post("/orders", body=" " * 20_000)).status == 413


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"authorization": "sesame"}])
async def test_only_the_administrator_changes_products(shop: Guest, headers: dict[str, str]) -> None:
    response = await shop.put("/products/tea", json={"price": 1, "stock": 1}, headers=headers)
    assert response.status == 401
    assert shop.sql.rows("SELECT price FROM products") == [{"price": 350}]


async def test_nobody_is_the_administrator_without_a_token(shop: Guest) -> None:
    del shop.vault["default"]["admin-token"]
    response = await shop.put("/products/tea", json={"price": 1, "stock": 1}, headers={"authorization": "Bearer "})
    assert response.status == 401


async def test_the_webhook_is_told_of_an_order_until_it_takes_it(shop: Guest) -> None:
    shop.wasi.setenv("SHOP_WEBHOOK", HOOK)
    shop.http.on("POST", HOOK, status=503, times=1)
    shop.http.on("POST", HOOK, status=204)
    await order(shop, product="tea", count=2)
    await shop.until(lambda: shop.http.requests)
    await tried_again(shop)
    assert [sent.json()["number"] for sent in shop.http.requests] == [1, 1]
    assert shop.keyvalue["sold"]["tea"] == b"2"
