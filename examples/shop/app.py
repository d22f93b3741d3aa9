"""A shop that needs all interfaces: a request places an order, a message makes its invoice.

| request | answer |
| --- | --- |
| `PUT /products/<name>` with `{"price": 350, "stock": 12}` | 204, with `authorization: Bearer <admin-token>` |
| `GET /products` | every product with its price, its stock and how many were sold |
| `POST /orders` with `{"product": "tea", "count": 2}` | 202 and the order; 409 when there is not enough |
| `GET /orders/<number>` | the order |
| `GET /orders/<number>/invoice` | the invoice, as soon as it is made |
"""

from __future__ import annotations

import hmac
import re

import accounts
import counters
import invoices
import webhook
from componentize_py_types import Err
from web import Answer, ClientError, json_of, send
from wit_world import exports
from wit_world.imports import producer, vault
from wit_world.imports import wasi_http_types as http
from wit_world.imports import wasi_messaging_types as messaging

PLACED = "orders.placed"
NUMBER = re.compile("[0-9]{1,18}")


class WasiHttpIncomingHandler(exports.WasiHttpIncomingHandler):
    """What the host calls for each request."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        """Answers one request."""
        try:
            answer = route(request)
        except ClientError as error:
            answer = Answer(error.status, {"error": str(error)})
        send(response_out, answer)


class WasiMessagingIncomingHandler(exports.WasiMessagingIncomingHandler):
    """What the host calls for each order that was placed; if it fails, it is called again later."""

    def handle(self, message: messaging.Message) -> None:
        """Writes the invoice, and tells who wants to know."""
        order = accounts.order(int(message.data()))
        invoices.write(order)
        try:
            webhook.tell(order)  # twice, if what follows fails, but never not at all
        except ConnectionError as error:
            raise Err(messaging.Error_Connection(str(error))) from None
        if accounts.settle(order.number):
            counters.add(order.product, order.count)
            print(f"order {order.number}: invoice written")


def route(request: http.IncomingRequest) -> Answer:
    """Does what is asked.

    Raises:
        ClientError: it cannot be done.
    """
    path = (request.path_with_query() or "/").partition("?")[0].split("/")[1:]
    match request.method(), path:
        case http.Method_Get(), ["products"]:
            products = accounts.products()
            sold = counters.read([product.name for product in products])
            return Answer(200, [product.shown(sold[product.name]) for product in products])
        case http.Method_Put(), ["products", name] if name:
            require_admin(request)
            accounts.put(name, **json_of(request, price=int, stock=int))
            return Answer(204)
        case http.Method_Post(), ["orders"]:
            order = accounts.place(**json_of(request, product=str, count=int))
            with messaging.Client.connect("default") as client:
                producer.send(client, PLACED, messaging.Message(b"%d" % order.number))
            return Answer(202, order.shown())
        case http.Method_Get(), ["orders", number] if NUMBER.fullmatch(number):
            return Answer(200, accounts.order(int(number)).shown())
        case http.Method_Get(), ["orders", number, "invoice"] if NUMBER.fullmatch(number):
            return Answer(200, invoices.read(accounts.order(int(number))))
    raise ClientError(404, "there is no such page")


def require_admin(request: http.IncomingRequest) -> None:
    """Lets those pass who know the token; its length may be found out, the token may not."""
    with vault.open("default") as locker:
        token = locker.get("admin-token")
    said = request.headers().get("authorization")
    if token is None or len(said) != 1 or not hmac.compare_digest(said[0], b"Bearer " + token):
        raise ClientError(401, "the token of the administrator is needed")
