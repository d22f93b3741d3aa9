"""Tells another server of each invoice, if the variable `SHOP_WEBHOOK` has its address."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

from accounts import Order
from componentize_py_types import Ok
from web import write
from wit_world.imports import outgoing_handler
from wit_world.imports import wasi_http_types as http


def tell(order: Order) -> None:
    """Sends the order.

    Raises:
        ConnectionError: the other server does not take it.
    """
    address = os.environ.get("SHOP_WEBHOOK")
    if not address:
        return
    parts = urlsplit(address)
    request = http.OutgoingRequest(http.Fields.from_list([("content-type", b"application/json")]))
    request.set_method(http.Method_Post())
    request.set_scheme(http.Scheme_Https() if parts.scheme == "https" else http.Scheme_Http())
    request.set_authority(parts.netloc)
    request.set_path_with_query(parts.path or "/")
    body = request.body()
    response = outgoing_handler.handle(request, None)
    with body.write() as sink:
        write(sink, json.dumps(order.shown()).encode())
    http.OutgoingBody.finish(body, None)
    with response.subscribe() as ready:
        ready.block()
    match response.get():
        case Ok(Ok(answer)) if answer.status() < 300:
            return
        case Ok(Ok(answer)):
            raise ConnectionError(f"{parts.netloc} answers {answer.status()}")
        case other:
            raise ConnectionError(f"{parts.netloc} does not answer: {other}")
