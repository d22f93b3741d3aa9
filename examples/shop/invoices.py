"""Invoices, in `wasi:blobstore`, signed with the secret `signing-key` of `wasi:vault`."""

from __future__ import annotations

import hashlib
import hmac

from accounts import Order
from componentize_py_types import Err
from web import ClientError
from web import write as write_all
from wit_world.imports import blobstore, vault
from wit_world.imports.container import Container
from wit_world.imports.streams import InputStream
from wit_world.imports.wasi_blobstore_types import IncomingValue, OutgoingValue


def write(order: Order) -> None:
    """Writes the invoice; writing it again writes the same."""
    euros, cents = divmod(order.cents, 100)
    text = f"Order {order.number}\n{order.count} x {order.product}\ntotal {euros}.{cents:02}\n"
    with vault.open("default") as locker:
        key = locker.get("signing-key")
    if key is None:
        raise LookupError("the vault has no signing-key")
    text += f"signed {hmac.digest(key, text.encode(), hashlib.sha256).hex()}\n"
    value = OutgoingValue.new_outgoing_value()
    _container().write_data(_name(order), value)
    with value.outgoing_value_write_body() as sink:
        write_all(sink, text.encode())
    OutgoingValue.finish(value)  # now it is visible, whole


def read(order: Order) -> InputStream:
    """The invoice.

    Raises:
        ClientError: it is not made yet.
    """
    invoices = _container()
    if not invoices.has_object(_name(order)):
        raise ClientError(404, "the invoice is not made yet")
    return IncomingValue.incoming_value_consume_async(invoices.get_data(_name(order), 0, 2**64 - 1))


def _name(order: Order) -> str:
    return f"{order.number}.txt"


def _container() -> Container:
    try:
        return blobstore.create_container("invoices")
    except Err:
        return blobstore.get_container("invoices")  # it was there
