"""A shop beside a model of it: carts become orders, orders are paid, cancelled, refunded; both must always agree."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from tests.conftest import open_client
from tests.journeys.test_money import work_off
from tests.making import moved_by, new_product, some_products
from tests.servers import HOME, REDIS, create_database, drop_database
from tfmshop import config
from tfmshop.commerce import checkout, orders
from tfmshop.commerce.payments import FakeProvider, RefundTooLarge
from tfmshop.platform.db import Options, Query, broken, connect
from tfmshop.platform.errors import ShopError

STAND = Query("model.stand", "SELECT o.id::text, o.status, o.payment_status, coalesce(b.refunded, 0) "
              "FROM orders.placed AS o LEFT JOIN payments.balance AS b ON b.order_id = o.id")  # fmt: skip
SHELF = Query("model.shelf", "SELECT sku, available FROM inventory.stock")
PRICE = 1000
UNITS = 6


@dataclass
class Bought:
    """What the model knows of an order."""

    units: dict[str, int]
    status: str = "paid"
    money: str = "authorized"
    back: int = 0

    @property
    def total(self) -> int:
        return PRICE * sum(self.units.values())


@dataclass
class Model:
    """What a shop should be: units on the shelf, units in carts, orders."""

    shelf: dict[str, int] = field(default_factory=lambda: {"A": UNITS, "B": UNITS})
    carts: dict[str, dict[str, int]] = field(default_factory=dict)
    orders: dict[str, Bought] = field(default_factory=dict)

    def give_back(self, bought: Bought) -> None:
        for sku, units in bought.units.items():
            self.shelf[sku] += units


class ShopMachine(RuleBasedStateMachine):
    """Random lives of a shop."""

    carts: Bundle[str] = Bundle("carts")
    placed: Bundle[str] = Bundle("placed")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.tokens: dict[str, dict[str, Any]] = {}
        self.products: dict[str, str] = {}
        self.run = self.runner.run
        self.run(self._open())

    async def _open(self) -> None:
        self.url = await create_database(f"model_{uuid4().hex[:12]}")
        settings = config.read(
            {"APP_ENV": "test", "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": os.environ[HOME]}, None
        )
        self.db = await connect(self.url, Options(minimum=1, maximum=2))
        self.company = FakeProvider()
        self.providers = moved_by(fake=self.company)
        self.client = open_client(settings, self.db, self.company)
        self.shop = await self.client.__aenter__()
        async with self.db.tx() as tx:
            made = await some_products(tx, *[new_product(sku=sku, price=PRICE, stock=UNITS) for sku in ("A", "B")])
        self.products = dict(zip(("A", "B"), made, strict=True))

    @initialize()
    def start(self) -> None:
        """Nothing is bought yet."""

    @rule(target=carts, units=some.dictionaries(some.sampled_from("AB"), some.integers(1, 3), min_size=1))
    def fill(self, units: dict[str, int]) -> Any:
        if any(self.model.shelf[sku] < wanted for sku, wanted in units.items()):
            return multiple()
        cart = self.run(self.shop.cart_with(*[(self.products[sku], wanted) for sku, wanted in units.items()]))
        self.tokens[cart["id"]] = cart
        self.model.carts[cart["id"]] = units
        return cart["id"]

    @rule(target=placed, cart=carts, token=some.sampled_from(["ok", "ok", "twice", "late", "decline", "challenge"]))
    def buy(self, cart: str, token: str) -> Any:
        answer = self.run(self.shop.buy(self.tokens[cart], token=token))
        units = self.model.carts.get(cart)
        if units is None:
            assert answer.json()["code"] == "cart_ordered", answer.text
            return multiple()
        if any(self.model.shelf[sku] < wanted for sku, wanted in units.items()):
            assert answer.json()["code"] == "out_of_stock", answer.text
            return multiple()
        if token == "decline":
            assert answer.status_code == 402, answer.text
            declined = next(id for id, *_ in self._stand() if id not in self.model.orders)
            self.model.orders[declined] = Bought(units, "cancelled", "declined")
            return multiple()
        for sku, wanted in units.items():
            self.model.shelf[sku] -= wanted
        del self.model.carts[cart]
        challenged = token == "challenge"
        assert answer.status_code == (202 if challenged else 201), answer.text
        id: str = answer.json()["order_id" if challenged else "id"]
        self.model.orders[id] = Bought(
            units, *(("placed", "action_required") if challenged else ("paid", "authorized"))
        )
        self.tokens[id] = {"cart": cart}
        return id

    @rule(order=placed, approve=some.booleans())
    def confirm(self, order: str, approve: bool) -> None:
        waited = self.run(self.company.confirm(order, approve=approve))
        bought = self.model.orders[order]
        if not waited:
            return
        if bought.status == "placed" and approve:
            bought.status, bought.money = "paid", "authorized"
        elif bought.status == "placed":
            self._release(order, "declined")

    @rule()
    def sweep(self) -> None:
        self.run(checkout.sweep(self.db, self.providers, timedelta(0), challenged=timedelta(0)))
        for order, bought in self.model.orders.items():
            if bought.status == "placed":
                self._release(order, "voided")

    @rule()
    def work(self) -> None:
        self.run(work_off(self.db))
        for bought in self.model.orders.values():
            if bought.status == "paid" and bought.money == "authorized":
                bought.money = "captured"

    @rule(order=placed)
    def cancel(self, order: str) -> None:
        bought = self.model.orders[order]

        async def work() -> None:
            await self.db.transact(lambda tx: checkout.cancel(tx, UUID(order), who="staff", why="changed their mind"))

        if bought.status not in {"placed", "paid"}:
            self._refused(work, orders.CannotMove)
            return
        self.run(work())
        self.model.give_back(bought)
        taken = bought.money in {"captured", "partially_refunded", "refunded"}
        bought.status, bought.money = "cancelled", "refunded" if taken else "voided"
        bought.back = bought.total if taken else 0

    @rule(order=placed, amount=some.one_of(some.none(), some.integers(1, 4000)))
    def refund(self, order: str, amount: int | None) -> None:
        bought = self.model.orders[order]

        async def work() -> None:
            await self.db.transact(lambda tx: checkout.ask_refund(tx, UUID(order), amount, who="staff", why="late"))

        left = bought.total - bought.back
        if bought.money not in {"captured", "partially_refunded"}:
            self._refused(work, ShopError)
        elif amount is not None and amount > left:
            self._refused(work, RefundTooLarge)
        else:
            self.run(work())
            bought.back += left if amount is None else amount
            bought.money = "refunded" if bought.back == bought.total else "partially_refunded"

    @invariant()
    def they_agree(self) -> None:
        assert dict(self._rows(SHELF)) == self.model.shelf
        assert {id: (status, money, back) for id, status, money, back in self._stand()} == {
            id: (bought.status, bought.money, bought.back) for id, bought in self.model.orders.items()
        }

    def teardown(self) -> None:
        async def close() -> None:
            await work_off(self.db)
            async with self.db.read() as tx:
                found = await broken(tx)
            await self.client.__aexit__(None, None, None)
            await self.db.close()
            await drop_database(self.url.split("?")[0].rsplit("/", 1)[1])
            assert found == {}

        self.work()
        for id, bought in self.model.orders.items():
            taken = bought.total if bought.money in {"captured", "partially_refunded", "refunded"} else 0
            assert self.company.taken(id) == taken - bought.back, (id, bought)
        self.run(close())
        self.runner.close()

    def _release(self, order: str, money: str) -> None:
        bought = self.model.orders[order]
        bought.status, bought.money = "cancelled", money
        self.model.give_back(bought)
        self.model.carts[self.tokens[order]["cart"]] = bought.units

    def _refused(self, work: Any, kind: type[Exception]) -> None:
        try:
            self.run(work())
        except kind:
            return
        raise AssertionError("it should have been refused")

    def _stand(self) -> list[tuple[Any, ...]]:
        return self._rows(STAND)

    def _rows(self, query: Query) -> list[tuple[Any, ...]]:
        async def read() -> list[tuple[Any, ...]]:
            async with self.db.read() as tx:
                return [tuple(row) for row in await tx.rows(query)]

        return self.run(read())
