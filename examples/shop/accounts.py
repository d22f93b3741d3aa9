"""Products and orders, in `wasi:sql`: what has to be right together is one statement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from componentize_py_types import Err
from web import ClientError
from wit_world.imports import readwrite
from wit_world.imports import wasi_sql_types as sql

# An order takes from the stock in the statement that places it: the trigger does, and the check refuses both.
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS products (name TEXT PRIMARY KEY,"
    " price BIGINT NOT NULL CHECK (price >= 0), stock BIGINT NOT NULL CHECK (stock >= 0))",
    "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, product TEXT NOT NULL REFERENCES products,"
    " count BIGINT NOT NULL CHECK (count > 0), cents BIGINT NOT NULL, state TEXT NOT NULL DEFAULT 'placed')",
    "CREATE TRIGGER IF NOT EXISTS takes AFTER INSERT ON orders BEGIN"
    " UPDATE products SET stock = stock - new.count WHERE name = new.product; END",
)
PUT = (
    "INSERT INTO products (name, price, stock) VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET price = excluded.price, stock = excluded.stock"
)
PLACE = (
    "INSERT INTO orders (product, count, cents) SELECT name, ?2, price * ?2 FROM products WHERE name = ?1"
    " RETURNING number, product, count, cents, state"
)
READ = "SELECT number, product, count, cents, state FROM orders WHERE number = ?"
SETTLE = "UPDATE orders SET state = 'invoiced' WHERE number = ? AND state = 'placed' RETURNING number"


@dataclass(frozen=True)
class Product:
    """A product; its price is in cents."""

    name: str
    price: int
    stock: int

    def shown(self, sold: int) -> dict[str, Any]:
        """What clients see."""
        return asdict(self) | {"sold": sold}


@dataclass(frozen=True)
class Order:
    """An order, `placed` and later `invoiced`; what it costs is in cents."""

    number: int
    product: str
    count: int
    cents: int
    state: str

    def shown(self) -> dict[str, Any]:
        """What clients see."""
        return asdict(self)


def products() -> list[Product]:
    """All products, by name."""
    return [Product(*row) for row in _query("SELECT name, price, stock FROM products ORDER BY name LIMIT 1000")]


def put(name: str, price: int, stock: int) -> None:
    """Adds a product, or changes its price and stock."""
    _query(PUT, name, price, stock)


def place(product: str, count: int) -> Order:
    """Places an order.

    Raises:
        ClientError: there is no such product, or not as many.
    """
    rows = _query(PLACE, product, count)
    if not rows:
        raise ClientError(404, f"there is no {product}")
    return Order(*rows[0])


def order(number: int) -> Order:
    """The order of that number.

    Raises:
        ClientError: there is none.
    """
    rows = _query(READ, number)
    if not rows:
        raise ClientError(404, f"there is no order {number}")
    return Order(*rows[0])


def settle(number: int) -> bool:
    """Marks an order as invoiced; returns whether it was not yet."""
    return bool(_query(SETTLE, number))


def _query(text: str, *values: str | int) -> list[list[Any]]:
    params = [sql.DataType_Int64(value) if isinstance(value, int) else sql.DataType_Str(value) for value in values]
    with sql.Connection.open("default") as database:
        try:
            rows = readwrite.query(database, sql.Statement.prepare(text, [*params]))
        except Err as error:
            trace = error.value.trace() if isinstance(error.value, sql.Error) else ""
            if "CHECK constraint" in trace:
                raise ClientError(409, "there is not enough of it, or the numbers make no sense") from None
            if "no such table" not in trace:
                raise
            for statement in SCHEMA:  # the first of all requests
                readwrite.exec(database, sql.Statement.prepare(statement, []))
            rows = readwrite.query(database, sql.Statement.prepare(text, [*params]))
    return [[field.value.value for field in row.fields] for row in rows]
